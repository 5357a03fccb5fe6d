"""How much goes through broker, journal and store, beside the least that could be done, in the same run."""
