// Images of eight by eight pixels, drawn without seams.
"use strict";

(() => {
  // Shades in [0, 1] are shares of the ink; `marked` pixels get a frame.
  function draw({ ctx, colours }, shades, left, top, size, marked = []) {
    // On whole pixels of the screen, of which a pixel of the page may be one and a half.
    const whole = (length) => Math.round(length * devicePixelRatio) / devicePixelRatio;
    const edge = (start, i) => whole(start + (i * size) / 8);
    const box = (i) => {
      const [column, row] = [i % 8, Math.floor(i / 8)];
      const [x, y] = [edge(left, column), edge(top, row)];
      return [x, y, edge(left, column + 1) - x, edge(top, row + 1) - y];
    };
    ctx.fillStyle = colours.ink;
    shades.forEach((shade, i) => {
      ctx.globalAlpha = shade;
      ctx.fillRect(...box(i));
    });
    ctx.globalAlpha = 1;
    Object.assign(ctx, { strokeStyle: colours.categories[1], lineWidth: 2 });
    marked.forEach((isMarked, i) => {
      const [x, y, width, height] = box(i);
      if (isMarked) ctx.strokeRect(x + 2, y + 2, width - 4, height - 4);
    });
    Object.assign(ctx, { strokeStyle: colours.faint, lineWidth: 1 });
    ctx.strokeRect(Math.round(left) - 0.5, Math.round(top) - 0.5, Math.round(size) + 1, Math.round(size) + 1);
  }

  globalThis.Digits = { draw };
})();
