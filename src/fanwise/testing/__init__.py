"""Help for tests of code that uses Fanwise."""
