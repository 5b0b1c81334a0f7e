"""What runs on the device, in Triton's language: random bits, noise, tiles, and the kernels made of them.

The counters of the bits stand in ``random_bits``, how a number is made of them in ``gumbel_noise``, and why
the maximum over cells is exact in ``drawing``.
"""
