"""How a map goes about its items: side by side, packed into requests, or one after another."""
