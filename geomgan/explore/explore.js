// The explorer's front end: one module for a page and for a notebook's widget. It shows what it is told and asks for
// what the hand does; all numbers come from the other side. Every text is set as text, so that names are only names.

const ACTIONS = [
  ["new", "New", "n", "another code of the prior"],
  ["undo", "Undo", "u", ""],
  ["redo", "Redo", "r", ""],
  ["zero", "Reset", "0", "all sliders to zero"],
  ["pin", "Pin", "p", "compare with this picture from now on"],
  ["here", "Axes here", "h", "find the axes of the metric at this code"],
];
const KEYS = Object.fromEntries(ACTIONS.map(([action, , key]) => [key, action]));
const MORE_KEYS = [ // what else a key does, for the list of keys
  ["1 … 9", "to a slider"], ["← →", "move it, Page further"], ["e", "rename it"], ["x", "remove it"],
  ["s", "to the spectrum"], ["Enter", "there: add or remove a slider"], ["k", "to the name"],
  ["Enter", "there: keep this code"], ["Shift Enter", "there: name this change"], ["a", "to the kept codes"],
  ["d", "save directions"], ["c", "save codes"], ["t", "save a strip"], ["f", "save a film"],
  ["o", "open directions or codes"], ["i", "open an image"], ["l", "listen, or stop"], ["y", "to the history"],
  ["?", "these keys"],
];
const LARGEST = 64 * 2 ** 20; // bytes of a file that is sent
const LATE = 5000; // milliseconds that an answer to a move may take
const GESTURE = 1000; // milliseconds without a move that end a gesture of the keyboard

// Messages: the length of the header in four bytes, the header as JSON, a file.
export function packed(header, body = new Uint8Array()) {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const message = new Uint8Array(4 + text.length + body.length);
  new DataView(message.buffer).setUint32(0, text.length);
  message.set(text, 4);
  message.set(body, 4 + text.length);
  return message;
}

export function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return [header, new Uint8Array(buffer, 4 + length)];
}

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && name !== "style") element[name] = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const shown = (x) => (x === null || x === undefined ? "?" : x === 0 ? "0" : Math.abs(x) >= 100 ? x.toFixed(0) : x.toPrecision(2).replace("-", "−"));
const signed = (x) => (Math.abs(x) < 5e-4 ? "0" : (x > 0 ? "+" : "") + shown(x));
let mounted = 0; // explorers of this document, for ids

export function mount(root, link) {
  const id = `gx${++mounted}`;
  const ask = (request, body) => {
    if (request.do !== "move" && request.do !== "grab") for (const row of rows.values()) row.sent = null;
    link.send(request, body);
  };
  let scene = null, gesture = 0, lastMove = 0, held = null, cursor = 1, said = performance.now();
  const rows = new Map(); // slider -> its elements
  const addresses = new Map(); // kept code -> address of its picture; nothing -> that of the sound
  const painted = new Map(); // canvas -> which picture it shows
  let turns = 0, pixels = null; // of the picture beside

  // The parts

  const title = make("h1", { textContent: "Explorer" });
  const about = make("p", { className: "gx-about" });
  const status = make("span", { role: "status", textContent: "Connecting …" });
  const clock = make("span", { "aria-hidden": "true" }); // how long that takes
  const canvas = (label) => make("canvas", { width: 1, height: 1, role: "img", "aria-label": label });
  const now = canvas("picture of the code"), beside = canvas("picture of the start"), change = canvas("difference of the two");
  change.className = "gx-coarse";
  const besideCaption = make("figcaption", { textContent: "Start" });
  const sound = make("audio", { controls: true, hidden: true, "aria-label": "sound of the code" });
  sound.addEventListener("play", () => { sound.autoplay = true; }); // who listens hears what comes next, too
  sound.addEventListener("pause", () => { sound.autoplay = sound.ended; });
  const marks = ["gx-brighter", "gx-darker"].map((kind) => make("span", { className: `gx-key ${kind}`, "aria-hidden": "true" }));
  const legend = make("span", { className: "gx-more" }, ...marks.flatMap((mark, i) => [" ", mark, [" brighter", " darker"][i]]));
  const pictures = make("div", { className: "gx-pictures" },
    make("figure", { className: "gx-now" }, now, make("figcaption", { textContent: "Now" })),
    make("figure", {}, beside, besideCaption),
    make("figure", {}, change, make("figcaption", {}, "Difference", legend)));
  const numbers = make("dl", { className: "gx-numbers" });
  const toolbar = make("div", { className: "gx-toolbar", role: "group", "aria-label": "Actions" });
  const buttons = {}, mark = (key) => make("kbd", { textContent: key, "aria-hidden": "true" });
  for (const [name, text, key, what] of ACTIONS) {
    buttons[name] = make("button", { type: "button", title: what, "aria-keyshortcuts": key, onclick: () => act(name) },
      text, mark(key));
    if (name !== "here") toolbar.append(buttons[name]); // that one is beside the spectrum
  }
  const stage = make("section", { className: "gx-stage", "aria-label": "Pictures" }, pictures, sound, numbers, toolbar,
    make("p", { className: "gx-status" }, status, clock)); // seen wherever the page is scrolled to

  const list = make("ul", { className: "gx-sliders" });
  const empty = make("p", { className: "gx-hint", hidden: true, textContent: "No slider yet: choose an axis in the spectrum." });
  const sliders = make("section", { "aria-labelledby": `${id}-sliders` },
    make("h2", { id: `${id}-sliders`, textContent: "Sliders" }),
    make("p", { className: "gx-hint" },
      "Equal travel is equal visible change. ", make("span", { className: "gx-key", "aria-hidden": "true" }),
      " where the metric predicts it within 10 %."),
    empty, list);

  const bars = make("div", { className: "gx-bars", role: "listbox", "aria-multiselectable": "true",
    "aria-label": "Axes of the metric by eigenvalue, largest first", onkeydown: onBarKey });
  const picked = make("p", { className: "gx-hint" });
  const layerFrom = make("input", { type: "number", min: 0, value: 0, id: `${id}-from` });
  const layerTo = make("input", { type: "number", min: 0, value: 0, id: `${id}-to` });
  const layers = make("form", { className: "gx-row", hidden: true, onsubmit: (event) => {
    event.preventDefault();
    ask({ do: "here", layers: [Number(layerFrom.value), Number(layerTo.value) + 1] });
  } }, make("label", { htmlFor: `${id}-from`, textContent: "Style layers" }), layerFrom,
    make("label", { htmlFor: `${id}-to`, textContent: "to" }), layerTo,
    make("button", { type: "submit", textContent: "Axes of these" }));
  const spectrumTitle = make("h2", { id: `${id}-spectrum`, textContent: "Spectrum" });
  const spectrum = make("section", { "aria-labelledby": `${id}-spectrum` },
    make("div", { className: "gx-line" }, spectrumTitle, buttons.here),
    bars, picked, layers);

  const name = make("input", { type: "text", id: `${id}-name`, maxLength: 80, placeholder: "a word or two",
    autocomplete: "off", onkeydown: (event) => {
      if (event.key === "Enter") { event.preventDefault(); named(event.shiftKey ? "name" : "keep")(); }
      if (event.key === "Escape") back();
    } });
  const named = (what) => () => {
    if (!name.value.trim()) { say("Type a name first.", true); name.focus(); return; }
    ask({ do: what, name: name.value.trim() });
    name.value = "";
    if (document.activeElement === name) back();
  };
  const shelf = make("ul", { className: "gx-shelf" });
  const files = {};
  const file = (text, key, accept, what) => {
    const input = make("input", { type: "file", accept, className: "gx-file", id: `${id}-${what}`, "aria-keyshortcuts": key,
      onchange: async () => { if (input.files[0]) await send(what, input.files[0]); input.value = ""; } });
    files[what] = input;
    return [input, make("label", { htmlFor: input.id, className: "gx-button" }, text, mark(key))];
  };
  const save = (what, key, text) => make("button", { type: "button", "aria-keyshortcuts": key,
    onclick: () => saving(what) }, text, mark(key));
  const along = make("p", { className: "gx-hint" });
  const keep = make("section", { "aria-labelledby": `${id}-keep` },
    make("h2", { id: `${id}-keep`, textContent: "Keep and share" }),
    make("div", { className: "gx-row" }, make("label", { htmlFor: name.id, textContent: "Name" }), name,
      make("button", { type: "button", textContent: "Keep this code", onclick: named("keep") }),
      make("button", { type: "button", textContent: "Name this change", title: "the way from the start to here, as a direction", onclick: named("name") })),
    shelf,
    make("div", { className: "gx-row", role: "group", "aria-label": "Save" }, make("span", { textContent: "Save" }),
      save("directions", "d", "Directions"), save("codes", "c", "Codes"), save("strip", "t", "Strip"), save("film", "f", "Film")),
    along,
    make("div", { className: "gx-row", role: "group", "aria-label": "Open" }, make("span", { textContent: "Open" }),
      ...file("Directions or codes …", "o", ".npz,.npy", "open"), ...file("Image to project …", "i", "image/*", "project")));

  const past = make("ol", { className: "gx-history" });
  const pastTitle = make("summary", { textContent: "History" });
  const history = make("details", {}, pastTitle, past);
  const help = make("details", {}, make("summary", { textContent: "Keys" }), make("ul", { className: "gx-keys" },
    ...[...ACTIONS.map(([, text, key]) => [key, text]), ...MORE_KEYS].map(([keys, text]) => make("li", {},
      ...keys.split(" ").map((key) => make("kbd", { textContent: key })), ` ${text}`))));

  root.classList.add("gx");
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.replaceChildren(make("header", {}, title, about),
    make("div", { className: "gx-layout" }, stage,
      make("div", { className: "gx-side" }, sliders, spectrum, keep, history, help)));
  const hears = root.closest(".gx-page") ? document : root; // a notebook's other cells have keys of their own
  root.tabIndex = -1; // a click into it brings the keys here
  hears.addEventListener("keydown", onKey);
  pictures.addEventListener("dragover", (event) => event.preventDefault());
  pictures.addEventListener("drop", async (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) await send("project", event.dataTransfer.files[0]);
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", compare);

  const ticking = setInterval(() => {
    const seconds = Math.floor((performance.now() - said) / 1000);
    clock.textContent = seconds >= 2 && status.textContent.endsWith("…") ? ` ${seconds} s` : "";
  }, 1000);

  // What the hand does

  function act(what) { ask(what === "here" ? { do: "here", layers: null } : { do: what }); }

  function saving(what) { ask({ do: "save", what, axis: held }); }

  async function send(what, chosen) {
    if (chosen.size > LARGEST) { say(`${chosen.name} has ${(chosen.size / 2 ** 20).toFixed(0)} MiB; expected at most 64.`, true); return; }
    ask({ do: what, file: chosen.name.slice(0, 80) }, new Uint8Array(await chosen.arrayBuffer()));
  }

  function onKey(event) {
    event.stopPropagation(); // the notebook has keys of its own
    const writes = event.target.matches("input[type=text], input[type=number], input:not([type])");
    if (event.altKey || writes) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key === "z") { event.preventDefault(); act(event.shiftKey ? "redo" : "undo"); }
      return;
    }
    if (event.key in KEYS) act(KEYS[event.key]);
    else if (event.key in also) also[event.key]();
    else if (event.key >= "1" && event.key <= "9") [...rows.values()][Number(event.key) - 1]?.range.focus();
    else return;
    event.preventDefault();
  }

  const also = {
    s: () => bars.querySelector("[tabindex='0']")?.focus(),
    k: () => name.focus(),
    a: () => shelf.querySelector("button")?.focus(),
    d: () => saving("directions"),
    c: () => saving("codes"),
    t: () => saving("strip"),
    f: () => saving("film"),
    o: () => files.open.click(),
    i: () => { if (scene?.kind === "image") files.project.click(); },
    e: () => { if (rows.has(held)) renaming(rows.get(held)); },
    x: () => { if (rows.has(held)) ask({ do: "drop", axis: held }); },
    l: () => { if (!sound.hidden) sound[sound.paused ? "play" : "pause"](); },
    y: () => { history.open = true; past.querySelector("[aria-current]")?.focus(); },
    "?": () => { help.open = true; help.firstChild.focus(); },
  };

  function onMove(axis, range) {
    const time = performance.now();
    if (time - lastMove > GESTURE) gesture += 1;
    lastMove = time;
    hold(axis.number);
    label(axis.number, Number(range.value));
    rows.get(axis.number).sent = { s: Number(range.value), scale: axis.scale };
    ask({ do: "move", axis: axis.number, s: Number(range.value), scale: axis.scale, gesture: `${id}-${gesture}` });
  }

  function hold(number) {
    held = number;
    const called = rows.get(number)?.axis.name;
    along.textContent = called ? `Strip and film go along ${called}, the slider last touched or added.` : "";
  }

  // From the name back to the slider last touched.
  function back() {
    if (rows.has(held)) rows.get(held).range.focus();
    else name.blur();
  }

  function onBarKey(event) {
    const count = scene?.spectrum.values.length ?? 0;
    const to = { ArrowRight: cursor + 1, ArrowLeft: cursor - 1, Home: 1, End: count }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      aim(Math.min(Math.max(to, 1), count));
      bars.children[cursor - 1]?.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      ask({ do: "pick", rank: cursor });
    }
  }

  // What is told

  link.listen(async (header, body) => {
    if (header.is === "said") say(header.text, header.bad);
    else if (header.is === "scene") draw(header);
    else if (header.is === "axis") { merge(header); }
    else if (header.is === "frame") {
      if (!await paint(now, body)) return;
      compare();
      for (const kind of header.sharp ? ["frames", "sharp"] : ["frames"]) root.dataset[kind] = Number(root.dataset[kind] ?? 0) + 1;
    }
    else if (header.is === "reference") { if (await paint(beside, body)) { pixels = read(beside); compare(); } }
    else if (header.is === "numbers") tellNumbers(header);
    else if (header.is === "thumb") { address(header.name, body, "image/png"); drawShelf(); }
    else if (header.is === "sound") { sound.hidden = false; sound.src = address("", body, "audio/wav"); }
    else if (header.is === "file") {
      const href = URL.createObjectURL(new Blob([body], { type: "application/octet-stream" }));
      make("a", { href, download: header.name }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60000);
    }
  });

  // The address of a file in place of that of the last of its name.
  function address(called, bytes, type) {
    if (addresses.has(called)) URL.revokeObjectURL(addresses.get(called));
    addresses.set(called, URL.createObjectURL(new Blob([bytes], { type })));
    return addresses.get(called);
  }

  function say(text, bad = false) {
    status.textContent = text;
    clock.textContent = "";
    said = performance.now();
    status.classList.toggle("gx-bad", Boolean(bad));
  }

  const pen = (of) => of.getContext("2d", { willReadFrequently: true });
  const read = (from) => pen(from).getImageData(0, 0, from.width, from.height).data;

  // Whether the picture is shown: not if a later one was decoded first.
  async function paint(target, bytes) {
    const turn = ++turns;
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    if (turn < (painted.get(target) ?? 0)) return false;
    painted.set(target, turn);
    if (target.width !== bitmap.width) target.width = bitmap.width;
    if (target.height !== bitmap.height) target.height = bitmap.height;
    target.classList.toggle("gx-coarse", bitmap.width < 48);
    pen(target).drawImage(bitmap, 0, 0);
    bitmap.close();
    return true;
  }

  // Where the picture is brighter than the one beside: orange; darker: blue; the same: the ground.
  const ink = (of) => getComputedStyle(of).backgroundColor.match(/[\d.]+/g).map(Number);
  function compare() {
    const { width, height } = now, wide = beside.width, every = Math.round(wide / width); // pixels of a small frame
    if (!pixels || width < 2 || Math.ceil(wide / every) !== width || Math.ceil(beside.height / every) !== height) return;
    change.width = width;
    change.height = height;
    const [ground, ...inks] = [change, ...marks].map(ink);
    const a = read(now), made = pen(change).createImageData(width, height), out = made.data;
    for (let y = 0, i = 0; y < height; y++) for (let x = 0; x < width; x++, i += 4) {
      const j = 4 * every * (y * wide + x);
      const red = a[i] - pixels[j], green = a[i + 1] - pixels[j + 1], blue = a[i + 2] - pixels[j + 2];
      const most = Math.max(Math.abs(red), Math.abs(green), Math.abs(blue)) / 255;
      const into = inks[red + green + blue >= 0 ? 0 : 1];
      for (let c = 0; c < 3; c++) out[i + c] = ground[c] + (into[c] - ground[c]) * most;
      out[i + 3] = 255;
    }
    pen(change).putImageData(made, 0, 0);
  }

  function tellNumbers(told) {
    const line = (term, value, what) => [make("dt", { textContent: term, title: what }), make("dd", { textContent: shown(value) })];
    numbers.replaceChildren(...[
      line("from the start", told.start, `distance under ${told.distance}`),
      ...(told.beside === "start" ? [] : [line(`from the ${told.beside}`, told.reference, `distance under ${told.distance}`)]),
      line("prior distance", told.prior, "about 1 for codes of the prior"),
    ].map((pair) => make("div", {}, ...pair)));
    now.setAttribute("aria-label", `picture of the code, ${shown(told.start)} from the start`);
  }

  function draw(told) {
    scene = told;
    title.textContent = told.model;
    about.textContent = `Distance ${told.distance} · codes in ${told.space}`;
    root.dataset.ready = told.ready;
    besideCaption.textContent = { start: "Start", pinned: "Pinned", image: "Image" }[told.beside];
    spectrumTitle.textContent = told.spectrum.layers ? `Spectrum of layers ${told.spectrum.layers[0]} to ${told.spectrum.layers[1] - 1}` : "Spectrum";
    legend.hidden = told.kind !== "image"; // of waves it says nothing
    files.project.hidden = files.project.nextSibling.hidden = told.kind !== "image";
    buttons.undo.disabled = told.at === 0;
    buttons.redo.disabled = told.at === told.history.length - 1;
    const focused = [...rows.values()].findIndex(({ item }) => item.contains(document.activeElement));
    for (const number of rows.keys()) {
      if (!told.axes.some((axis) => axis.number === number)) { rows.get(number).item.remove(); rows.delete(number); }
    }
    const added = rows.size ? told.axes.filter((axis) => !rows.has(axis.number)) : [];
    for (const axis of told.axes) drawSlider(axis);
    list.append(...told.axes.filter((axis, i) => list.children[i] !== rows.get(axis.number).item).map((axis) => rows.get(axis.number).item));
    if (focused >= 0 && !list.contains(document.activeElement)) { // its slider is gone: to the one in its place
      ([...rows.values()].at(Math.min(focused, rows.size - 1))?.range ?? bars.querySelector("[tabindex='0']"))?.focus();
    }
    empty.hidden = told.axes.length > 0 || !told.ready;
    drawBars();
    drawShelf();
    drawHistory();
    layers.hidden = !told.rows;
    if (told.rows && !layerTo.max) layerFrom.max = layerTo.max = layerTo.value = told.rows - 1;
    if (added.length === 1) hold(added[0].number); // a change that was just named is what is filmed
    else if (!rows.has(held)) hold(null);
  }

  function merge(axis) {
    if (!scene) return;
    scene.axes = scene.axes.map((other) => (other.number === axis.number ? axis : { ...other, step: axis.step }));
    draw(scene);
  }

  function drawSlider(axis) {
    let row = rows.get(axis.number);
    if (!row) {
      const range = make("input", { type: "range", id: `${id}-axis${axis.number}` });
      const text = make("label", { htmlFor: range.id });
      row = { range, text, value: make("output", { htmlFor: range.id }), low: make("span"), high: make("span"),
        trust: make("span", { className: "gx-trust" }), track: make("div", { className: "gx-track" },
          make("i", { className: "gx-band" }), make("i", { className: "gx-zero" }), range) };
      const rename = make("button", { type: "button", className: "gx-small", textContent: "✎", title: "Rename" });
      const drop = make("button", { type: "button", className: "gx-small", textContent: "×", title: "Remove" });
      row.rename = rename;
      row.drop = drop;
      row.item = make("li", {}, make("div", { className: "gx-line" }, text, row.value, rename, drop), row.track,
        make("div", { className: "gx-ends", "aria-hidden": "true" }, row.low, row.trust, row.high));
      rows.set(axis.number, row);
      range.addEventListener("input", () => onMove(row.axis, range));
      range.addEventListener("focus", () => { hold(axis.number); ask({ do: "grab", axis: axis.number }); });
      range.addEventListener("pointerdown", () => { gesture += 1; lastMove = performance.now(); row.down = true; });
      for (const kind of ["pointerup", "pointercancel", "blur"]) range.addEventListener(kind, () => {
        if (row.down) { row.down = false; draw(scene); }
      });
      drop.addEventListener("click", () => ask({ do: "drop", axis: axis.number }));
      rename.addEventListener("click", () => renaming(row));
    }
    if (!row.down) row.axis = axis; // a hand that holds a slider goes on in the scale that it has taken
    row.text.textContent = axis.name;
    row.rename.setAttribute("aria-label", `Rename ${axis.name}`);
    row.drop.setAttribute("aria-label", `Remove ${axis.name}`);
    if (!row.down) { // the grid holds zero
      const { range } = row, { step } = axis;
      range.step = step;
      range.min = -Math.max(Math.floor(-axis.low / step + 1e-6), 1) * step;
      range.max = Math.max(Math.floor(axis.high / step + 1e-6), 1) * step;
      // What is told may be older than what the hand has done since.
      const ahead = row.sent?.scale === axis.scale && performance.now() - lastMove < LATE && Math.abs(axis.s - row.sent.s) > 0.51 * step;
      const s = ahead ? row.sent.s : axis.s;
      range.value = s;
      const at = (s, end) => (s === null ? end : Math.min(Math.max((s - range.min) / (range.max - range.min), 0), 1));
      row.track.style.setProperty("--from", at(axis.trust[0], 0));
      row.track.style.setProperty("--to", at(axis.trust[1], 1));
      row.track.style.setProperty("--zero", at(0, 0));
      row.track.classList.toggle("gx-guess", !axis.measured);
      row.low.textContent = shown(axis.low);
      row.high.textContent = `+${shown(axis.high)}`;
      const reach = axis.trust.every((x) => x === null) ? "" : `trusted ${axis.trust[0] === null ? "all" : shown(axis.trust[0])} to ${axis.trust[1] === null ? "all" : "+" + shown(axis.trust[1])}`;
      const value = axis.value === null ? axis.method : `λ ${shown(axis.value)}`;
      row.trust.textContent = axis.measured ? [value, reach].filter(Boolean).join(" · ") : `${value} · predicted`;
      label(axis.number, s);
    }
  }

  function label(number, s) {
    const { range, value, axis } = rows.get(number);
    const [near, far] = axis.trust;
    const beyond = (near !== null && s < near) || (far !== null && s > far);
    value.textContent = signed(s);
    value.classList.toggle("gx-beyond", beyond);
    range.setAttribute("aria-valuetext", `${signed(s)} of distance${beyond ? ", beyond the trust radius" : ""}`);
  }

  function renaming(row) {
    const input = make("input", { type: "text", value: row.axis.name, maxLength: 80, "aria-label": `New name of ${row.axis.name}` });
    let done = false;
    const end = (keep) => {
      if (done) return;
      done = true;
      input.replaceWith(row.text);
      if (keep && input.value.trim() && input.value.trim() !== row.axis.name) ask({ do: "rename", axis: row.axis.number, name: input.value.trim() });
      row.rename.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault(); // or the button that has the focus next takes the key, too
      end(event.key === "Enter");
    });
    input.addEventListener("blur", () => end(true));
    row.text.replaceWith(input);
    input.select();
    input.focus();
  }

  function aim(rank) {
    cursor = rank;
    [...bars.children].forEach((bar, i) => { bar.tabIndex = i + 1 === cursor ? 0 : -1; });
    const value = scene.spectrum.values[cursor - 1];
    if (value === undefined) return;
    const below = value < (scene.spectrum.floor ?? 0) ? ", below the noise of its precision" : "";
    picked.textContent = `Axis ${cursor} of ${scene.spectrum.values.length}: eigenvalue ${shown(value)}${below}; heights are logarithms. Click a bar, or press Enter, to add or remove its slider.`;
  }

  function drawBars() {
    const { values, floor } = scene.spectrum;
    const least = Math.max(floor ?? 0, values.length ? values[0] * 1e-8 : 1), most = Math.log(values[0] / least) || 1;
    const has = new Set(scene.axes.map((axis) => axis.rank));
    while (bars.children.length > values.length) bars.lastChild.remove();
    while (bars.children.length < values.length) {
      const rank = bars.children.length + 1;
      bars.append(make("div", { role: "option", className: "gx-bar", tabIndex: -1,
        onclick: () => { aim(rank); ask({ do: "pick", rank }); }, onfocus: () => aim(rank), onmouseenter: () => tellRank(rank) },
        make("i")));
    }
    values.forEach((value, i) => {
      const bar = bars.children[i];
      const height = Math.max(Math.log(Math.max(value, least) / least) / most, 0.02);
      bar.firstChild.style.height = `${100 * height}%`;
      bar.setAttribute("aria-selected", has.has(i + 1));
      bar.setAttribute("aria-label", `axis ${i + 1}, eigenvalue ${shown(value)}`);
      bar.classList.toggle("gx-noise", value < (floor ?? 0));
    });
    aim(Math.min(cursor, Math.max(values.length, 1)));
  }

  function tellRank(rank) {
    const before = cursor;
    aim(rank);
    if (bars.contains(document.activeElement)) aim(before);
  }

  function drawShelf() {
    if (!scene) return;
    const inside = shelf.contains(document.activeElement), focused = document.activeElement?.dataset?.kept;
    shelf.replaceChildren(...scene.kept.map((kept) => {
      const button = (text, what, label) => make("button", { type: "button", className: "gx-small", textContent: text,
        "aria-label": label, title: label, onclick: () => ask({ do: what, name: kept }) });
      const picture = make("img", { alt: "", src: addresses.get(kept) ?? "data:," });
      const go = make("button", { type: "button", className: "gx-thumb", "aria-label": `Go to ${kept}`,
        onclick: () => ask({ do: "go", name: kept }) }, picture, make("span", { textContent: kept }));
      go.dataset.kept = kept;
      return make("li", {}, go, button("slide to", "towards", `Slide to ${kept}`), button("×", "forget", `Forget ${kept}`));
    }));
    if (inside) ([...shelf.querySelectorAll(".gx-thumb")].find((one) => one.dataset.kept === focused) ?? shelf.querySelector("button") ?? name).focus();
  }

  function drawHistory() {
    pastTitle.textContent = `History (${scene.history.length})`;
    const inside = past.contains(document.activeElement);
    past.replaceChildren(...scene.history.map((text, i) => make("li", {}, make("button", { type: "button", textContent: text,
      "aria-current": i === scene.at ? "step" : null, onclick: () => ask({ do: "jump", at: i }) }))));
    if (inside) past.querySelector("[aria-current]")?.focus();
  }

  return () => {
    clearInterval(ticking);
    hears.removeEventListener("keydown", onKey);
  };
}

// A notebook's widget.
function render({ model, el }) {
  const place = document.createElement("div");
  el.append(place);
  let hear = () => {};
  const heard = (header, buffers) => {
    const view = buffers?.[0];
    hear(header, view ? new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength) : new Uint8Array());
  };
  model.on("msg:custom", heard);
  const end = mount(place, {
    send: (header, body) => model.send(header, undefined, body ? [body] : []),
    listen: (listener) => { hear = listener; },
  });
  model.send({ do: "hello" });
  return () => { model.off("msg:custom", heard); end(); };
}

export default { render };
