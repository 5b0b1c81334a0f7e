// The decoder of chapter 7 in a page: ten classes to the probabilities of 64 pixels.
"use strict";

(() => {
  const numbers = (text, Kind) => new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);

  // Weights are whole numbers times one scale for each output (see tools/record_toy.py).
  function readLayer({ outputs, inputs, scales, weights, biases }) {
    const [scale, whole] = [numbers(scales, Float32Array), numbers(weights, Int8Array)];
    const rows = Array.from({ length: outputs }, (_, row) =>
      Float64Array.from(whole.subarray(row * inputs, (row + 1) * inputs), (weight) => weight * scale[row]),
    );
    return { rows, biases: Float64Array.from(numbers(biases, Float32Array)) };
  }

  const readDecoder = ({ layers }) => layers.map(readLayer);

  // The input is one-hot in every block of ten: a product with it picks weights.
  function hiddenUnits({ rows, biases }, code) {
    return rows.map((row, unit) => {
      let sum = biases[unit];
      for (let n = 0; n < code.length; n++) sum += row[10 * n + code[n]];
      return Math.max(sum, 0);
    });
  }

  // Plain loops: a code that is chosen is decoded with each class of each dial.
  function linear({ rows, biases }, values) {
    return rows.map((row, unit) => {
      let sum = biases[unit];
      for (let i = 0; i < row.length; i++) sum += row[i] * values[i];
      return sum;
    });
  }

  // A code is ten classes in 0 ... 9.
  const pixelLogits = ([first, second], code) => linear(second, hiddenUnits(first, code));
  const pixels = (decoder, code) => pixelLogits(decoder, code).map((logit) => 1 / (1 + Math.exp(-logit)));

  // Grey levels, one hexadecimal digit a pixel.
  const fromLevels = (text) => Array.from(text, (digit) => parseInt(digit, 16) / 15);

  const decode = (data, code) => pixelLogits(readDecoder(data), code);

  const api = { decode, readDecoder, pixelLogits, pixels, fromLevels };
  if (typeof module === "object") module.exports = api;
  else globalThis.Decoder = api;
})();
