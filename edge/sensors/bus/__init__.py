"""How bytes get to a chip: I²C and SPI, real ones of the kernel or simulated ones with chips on them."""
