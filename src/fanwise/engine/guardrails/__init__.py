"""Rules that make new work go one after another while too much goes wrong."""
