"""Tracking numbers out of mail: supplier, carrier, number, order, date."""
