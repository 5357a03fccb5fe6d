"""Time-series stores: the contract (`base`), the embedded one, and servers that speak Influx line protocol."""
