"""Breaks every part of the chain at random while messages flow, then counts what arrived."""
