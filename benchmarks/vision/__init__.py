"""Items found, graded, measured and taught on pictures that nobody on this project took."""
