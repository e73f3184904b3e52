// Press a key as a user does; give the milliseconds until the page has changed and was painted.
async ([key, shift, watched]) => {
  const item = document.querySelector("#desk").dataset;
  let before;
  const state = () => {
    if (watched === "item") return item.item ?? before;
    if (watched === "slice") return document.querySelector(".panel").dataset.slice ?? before;
    return document.querySelector(watched)?.textContent;
  };
  before = state();
  const start = performance.now();
  const target = document.querySelector("dialog[open]") ?? document.body;
  target.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey: shift, bubbles: true, cancelable: true }));
  while (state() === before && performance.now() - start < 5000) await new Promise(requestAnimationFrame);
  return performance.now() - start;
}
