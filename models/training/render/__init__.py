"""Baked goods as pictures with exact labels: outlines, crust, defects, light, camera. Seeded; OpenCV and numpy alone.

A piece is drawn on a square canvas in linear light (`item`), pieces are laid on a backdrop (`frame`), and a camera
looks at them (`camera`). Whatever varies between bakeries varies here at random; what makes a defect a defect is
drawn so that it can be seen in the finished picture, and a piece that would not show its label is drawn again.
"""
