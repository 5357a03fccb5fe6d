"""How good an item is: what a net and a ruler say of its picture."""
