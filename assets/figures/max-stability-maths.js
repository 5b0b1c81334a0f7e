// Gumbel densities and the density of a maximum: the arithmetic of the figure on max-stability.
"use strict";

(() => {
  const { exp, log, max } = Math;

  const cdf = (x, location, scale) => exp(-exp(-(x - location) / scale));

  function density(x, location, scale) {
    const z = (x - location) / scale;
    return exp(-z - exp(-z)) / scale;
  }

  // The product rule: one value lies at x and all others below it.
  function densityOfMaximum(x, locations, scale) {
    const below = (one) =>
      locations.reduce((product, other, j) => (j === one ? product : product * cdf(x, other, scale)), 1);
    return locations.reduce((sum, location, one) => sum + density(x, location, scale) * below(one), 0);
  }

  // Where the theorem puts the maximum: the log-sum-exp, in units of the scale.
  function locationOfMaximum(locations, scale) {
    const largest = max(...locations);
    return largest + scale * log(locations.reduce((sum, one) => sum + exp((one - largest) / scale), 0));
  }

  const api = { cdf, density, densityOfMaximum, locationOfMaximum };
  if (typeof module === "object") module.exports = api;
  else globalThis.MaxStability = api;
})();
