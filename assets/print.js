// Paper is white: a page in the dark theme is printed in the light one.
{
  const root = document.documentElement;
  let onScreen = root.dataset.theme;
  matchMedia("print").addEventListener("change", ({ matches: isPaper }) => {
    if (isPaper) onScreen = root.dataset.theme;
    root.dataset.theme = isPaper ? "light" : onScreen;
  });
}
