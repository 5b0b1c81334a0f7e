"""What runs on the device, in Triton's language: noise, tiles, and the kernels made of them."""
