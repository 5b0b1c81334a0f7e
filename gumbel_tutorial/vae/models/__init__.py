"""Models with discrete codes, the networks they are made of, and the bounds that train them."""
