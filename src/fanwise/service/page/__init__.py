"""The page: HTML made here, behaviour by ES modules, no build step, nothing from elsewhere."""
