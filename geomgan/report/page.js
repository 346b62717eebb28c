// Tables that sort, code to copy, walks to scrub, pictures to enlarge: the page reads without any of it.

for (const button of document.querySelectorAll("thead button")) button.addEventListener("click", () => {
  const head = button.parentElement, table = head.closest("table");
  const column = [...head.parentElement.children].indexOf(head);
  const down = head.getAttribute("aria-sort") === "ascending";
  const value = row => row.children[column].dataset.value ?? row.children[column].textContent;
  const order = (a, b) => { const [x, y] = [value(a), value(b)], [m, n] = [Number(x), Number(y)];
    return x !== "" && y !== "" && !isNaN(m) && !isNaN(n) ? m - n : x.localeCompare(y); };
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].sort(order);
  table.tBodies[0].append(...(down ? rows.reverse() : rows));
});

for (const button of document.querySelectorAll(".code button")) button.addEventListener("click", async () => {
  const code = button.nextElementSibling;
  getSelection().selectAllChildren(code);
  try { await navigator.clipboard.writeText(code.textContent); button.textContent = "Copied"; }
  catch { button.textContent = "Selected"; }  // the browser keeps its clipboard: Ctrl-C does it
});

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const SHOWN = innerWidth < 480 ? 160 : 200, PIXELATED = 64; // pixels of a picture; up to which one is enlarged without blur

// One dialog for all that is enlarged. The browser gives it Escape, and the focus back to where it was.
const title = make("h2", { id: "zoom-title" }), body = make("div", { className: "body", tabIndex: 0 });
const shut = make("button", { type: "button", className: "plain", textContent: "Close" });
const zoom = make("dialog", { className: "zoom", "aria-labelledby": title.id }, make("div", { className: "head" }, title, shut), body);
shut.addEventListener("click", () => zoom.close());
zoom.addEventListener("click", (event) => { if (event.target === zoom) zoom.close(); });
zoom.addEventListener("close", () => { if (!zoom.open) body.replaceChildren(); });  // said late: another may be there
document.body.append(zoom);

let leave = () => {};
function enlarge(name, content, end = () => {}) {
  leave();
  leave = end;
  title.textContent = name;
  body.replaceChildren(...content);
  body.setAttribute("aria-label", name);
  zoom.showModal();
  (body.querySelector("input") ?? body).focus();
}

for (const image of document.querySelectorAll("main figure:not(.strip) > img")) {
  const button = make("button", { type: "button", className: "larger", "aria-label": `Enlarge the figure: ${image.alt}` });
  image.replaceWith(button);
  button.append(image);
  button.addEventListener("click", () => {
    const width = Math.max(image.naturalWidth, innerWidth - 64);
    enlarge(image.alt, [make("img", { src: image.src, alt: image.alt, width })]);
  });
}

// A strip of pictures becomes one that moves. What shows it, on the page and enlarged, are views of one position.
const moving = [...document.querySelectorAll(".strip")].map((strip) => {
  const image = strip.querySelector("img"), caption = strip.querySelector("figcaption"), name = caption.textContent;
  const { frames, zero, gap, low, high, width, height } = Object.fromEntries(
    Object.entries(strip.dataset).map(([name, value]) => [name, Number(value)]));
  const first = -zero, last = frames - 1 - zero, views = new Set();
  const share = (k) => Math.min(Math.max((k - first) / ((last - first) || 1), 0), 1);
  const shown = (s) => Math.abs(s).toPrecision(2);
  const signed = (k) => (k > 0 ? "+" : k < 0 ? "−" : "") + (k ? shown(k * gap) : "0");
  const state = { k: 0, first, last, show(k) { state.k = k; for (const paint of views) paint(); } };

  function view(fits) {
    const canvas = make("canvas", { width, height });
    const factor = fits / Math.max(width, height);
    canvas.style.width = `${Math.round(width * (factor < 1 ? factor : Math.floor(factor)))}px`;
    canvas.classList.toggle("small", Math.max(width, height) <= PIXELATED);
    const range = make("input", { type: "range", min: first, max: last, step: 1, value: state.k });
    range.setAttribute("aria-label", name);
    const track = make("div", { className: "track" }, make("i"), make("i"), range), value = make("span", { className: "value" });
    track.style.setProperty("--from", share(low / gap));
    track.style.setProperty("--to", share(high / gap));
    track.style.setProperty("--at", share(0));
    range.addEventListener("input", () => { rest(); state.show(Number(range.value)); });
    const paint = () => {
      const s = state.k * gap, beyond = s < low || s > high;
      canvas.getContext("2d").drawImage(image, (state.k - first) * width, 0, width, height, 0, 0, width, height);
      range.value = state.k;
      value.textContent = signed(state.k);
      value.classList.toggle("beyond", beyond);
      range.setAttribute("aria-valuetext", `${signed(state.k)} of distance${beyond ? ", beyond the trust radius" : ""}`);
    };
    views.add(paint);
    paint();
    const ends = make("p", { className: "ends" }, make("span", { textContent: signed(first) }),
      make("span", { textContent: signed(last) }));
    return { canvas, value, track, ends, end: () => views.delete(paint) };
  }

  image.decode().then(() => {
    const small = view(SHOWN), button = make("button", { type: "button", className: "larger" }, small.canvas);
    button.setAttribute("aria-label", `Enlarge the picture: ${name}`);
    button.addEventListener("click", () => {
      const large = view(Math.min(innerWidth - 64, innerHeight - 190));
      large.ends.firstChild.after(large.value);
      enlarge(name, [large.canvas, large.track, large.ends], large.end);
    });
    caption.append(small.value);
    strip.style.width = small.canvas.style.width;
    strip.replaceChildren(caption, button, small.track, small.ends);
    strip.dataset.ready = "true";
  });
  return state;
});

// All of them there and back, one step of distance for each picture; nothing moves unasked.
const FRAME = 60; // milliseconds
let timer = null;
const players = [...document.querySelectorAll(".strips")].map((group) => {
  group.classList.add("moving");
  const button = make("button", { type: "button", className: "plain" });
  button.addEventListener("click", () => (timer ? rest() : play()));
  group.before(button);
  return button;
});
function label() { for (const button of players) button.textContent = timer ? "Pause" : "Play all"; }
function rest() { clearInterval(timer); timer = null; label(); }
function play() {
  timer = setInterval(() => {
    for (const state of moving) {
      if (state.k >= state.last) state.way = -1;
      if (state.k <= state.first) state.way = 1;
      if (state.last > state.first) state.show(state.k + (state.way ??= 1));
    }
  }, FRAME);
  label();
}
label();
