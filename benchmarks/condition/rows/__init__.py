"""One file for each kind of recording; `registry` lists them."""
