"use strict";
(() => {
const content = JSON.parse(document.getElementById("content").textContent);
const trials = new Map(content.trials.map((trial) => [trial.id, trial.images]));
const count = trials.size;
const storageName = `geomgan-study-${content.study}`;
const element = (id) => document.getElementById(id);
const make = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

// ---- what is kept: everything a participant did, also half of a question
function fresh() {
  const random = crypto.getRandomValues(new Uint32Array(3));
  const name = [random[1], random[2]].map((word) => word.toString(16).padStart(8, "0")).join("");
  return {participant: `p-${name.slice(0, 8)}`, session: name, seed: random[0], order: shuffled([...trials.keys()], random[0]),
    started: null, finished: null, at: 0, answers: {}, seconds: {}};
}

// Fisher-Yates with Marsaglia's xorshift32: the recorded seed gives the order again.
function shuffled(names, seed) {
  let state = seed || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let i = names.length - 1; i > 0; i--) {
    const j = next() % (i + 1);
    [names[i], names[j]] = [names[j], names[i]];
  }
  return names;
}

function restore() {
  try {
    const kept = JSON.parse(localStorage.getItem(storageName));
    if (kept && kept.order.length === count && kept.order.every((name) => trials.has(name))) return kept;
  } catch (error) { /* nothing kept, or nothing that can be used */ }
  return fresh();
}

function keep() {
  try {
    localStorage.setItem(storageName, JSON.stringify(state));
  } catch (error) {
    element("unsaved").hidden = false;
  }
}

let state = restore();

// ---- time: only while the page is visible
let since = null;
function countTime() {
  const name = state.order[state.at];
  if (since !== null && name) state.seconds[name] = (state.seconds[name] || 0) + (performance.now() - since) / 1000;
  since = document.visibilityState === "visible" && state.started && !state.finished && name ? performance.now() : null;
}

// ---- one of three views
function show() {
  const view = !state.started ? "welcome" : state.at < count ? "trial" : "end";
  for (const name of ["welcome", "trial", "end"]) element(name).hidden = name !== view;
  element("progress").hidden = view === "welcome";
  element("progress").value = state.at / count;
  element("position").textContent = view === "trial" ? `Set ${state.at + 1} of ${count}` : "";
  if (view === "welcome") element("participant").value = state.participant;
  if (view === "trial") showTrial();
  if (view === "end") element("answers-text").value = answersText();
  window.scrollTo(0, 0);
  since = null;
  countTime();
}

function focusHeading() {
  const heading = document.querySelector("section:not([hidden]) h1");
  if (heading) heading.focus({preventScroll: true});
}

// ---- welcome
const words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
element("count").textContent = count === 1 ? "one set of pictures" : `${count} sets of pictures`;
document.querySelector(".rows-in-words").textContent = words[content.rows] || String(content.rows);
element("minutes").textContent = `It takes about ${Math.max(1, Math.round(count * 0.75))} minutes.`.replace(" 1 minutes", " one minute");
element("send-to").textContent = content.contact ? `to send to ${content.contact}` : "to give to the researcher";
element("send-now").textContent = content.contact ? ` and send the file to ${content.contact}` : " and give the file to the researcher";

element("participant").addEventListener("input", () => {
  state.participant = element("participant").value;
  keep();
});

element("start").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = element("participant").value.trim();
  const named = name.length > 0 && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name);
  const agreed = element("consent").checked;
  element("participant-problem").textContent = named ? "" : "Please type an id.";
  element("consent-problem").textContent = agreed ? "" : "Please agree before you start.";
  if (!named) return element("participant").focus();
  if (!agreed) return element("consent").focus();
  state.participant = name;
  state.started = new Date().toISOString();
  keep();
  show();
  focusHeading();
});

// ---- a question
const form = element("questions");
const rowNames = Array.from({length: content.rows}, (_, i) => String(i + 1));
const choice = (type, name, value, text) => make("label", {}, make("input", {type, name, value}), make("span", {textContent: text}));
for (const name of rowNames) element("row-boxes").append(choice("checkbox", "rows", name, `Row ${name}`));
element("row-boxes").append(choice("checkbox", "rows", "none", "None"));
for (const scale of form.querySelectorAll("[data-scale]"))
  for (let i = 1; i <= 9; i++) scale.append(choice("radio", scale.dataset.scale, String(i), String(i)));

element("rows").style.setProperty("--columns", content.columns);
const strips = rowNames.map((name) => {
  const alt = `Row ${name}: ${words[content.columns] || content.columns} pictures, the starting picture in the middle`;
  const image = make("img", {alt, decoding: "sync"});
  element("rows").append(make("div", {className: "row"}, make("b", {textContent: name}), make("div", {className: "strip"}, image)));
  return image;
});

const chosen = (name) => [...form.querySelectorAll(`input[name=${name}]:checked`)].map((input) => input.value);
const amount = () => {
  const text = form.elements.amount.value;
  return /^\d{1,3}$/.test(text) && Number(text) <= 100 ? Number(text) : null;
};

function showTrial() {
  const name = state.order[state.at];
  const draft = state.answers[name] || {};
  trials.get(name).forEach((data, i) => { strips[i].src = `data:image/png;base64,${data}`; });
  element("trial-heading").textContent = `Set ${state.at + 1} of ${count}`;
  form.reset();
  for (const input of form.querySelectorAll("input[type=radio], input[type=checkbox]"))
    input.checked = [].concat(draft[input.name] ?? []).map(String).includes(input.value);
  form.elements.amount.value = draft.amount ?? "";
  form.elements.slider.value = draft.amount ?? 0;
  form.elements.slider.classList.toggle("untouched", draft.amount == null);
  form.elements.common.value = draft.common ?? "";
  element("details").hidden = draft.change !== "yes";
  element("back").disabled = state.at === 0;
  element("next").textContent = state.at === count - 1 ? "Finish" : "Next";
  for (const problem of form.querySelectorAll(".problem")) problem.textContent = "";
}

function keepDraft() {
  const [change] = chosen("change"), [similarity] = chosen("similarity"), [difficulty] = chosen("difficulty");
  state.answers[state.order[state.at]] = {change, amount: amount(), common: form.elements.common.value, rows: chosen("rows"), similarity, difficulty};
  countTime();
  keep();
}

form.addEventListener("input", (event) => {
  const input = event.target;
  if (input.name === "slider") form.elements.amount.value = input.value;
  if (input.name === "slider" || input.name === "amount") {
    if (input.name === "amount") form.elements.slider.value = amount() ?? 0;
    form.elements.slider.classList.toggle("untouched", amount() === null);
  }
  if (input.name === "rows" && input.checked)
    for (const other of form.querySelectorAll("input[name=rows]"))
      if ((input.value === "none") !== (other.value === "none")) other.checked = false;
  if (input.name === "change") element("details").hidden = input.value !== "yes";
  const problem = input.closest("fieldset").querySelector(".problem");
  problem.textContent = "";
  keepDraft();
});

function problems() {
  if (!chosen("change").length) return {change: "Please choose yes or no."};
  if (chosen("change")[0] === "no") return {};
  const found = {};
  if (amount() === null) found.amount = "Please give a whole number from 0 to 100.";
  if (!form.elements.common.value.trim()) found.common = "Please describe the change, or write “nothing”.";
  if (!chosen("rows").length) found.rows = "Please choose at least one row, or “None”.";
  for (const name of ["similarity", "difficulty"]) if (!chosen(name).length) found[name] = "Please choose a number from 1 to 9.";
  return found;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const found = problems();
  for (const field of form.querySelectorAll("fieldset")) field.querySelector(".problem").textContent = found[field.dataset.name] || "";
  const [first] = Object.keys(found);
  if (first) {
    const inputs = "input[type=number], input[type=radio], input[type=checkbox], textarea";
    return form.querySelector(`fieldset[data-name=${first}] :is(${inputs})`).focus();
  }
  keepDraft();
  move(1);
});

function move(by) {
  countTime();
  state.at = Math.min(Math.max(state.at + by, 0), count);
  state.finished = state.at === count ? new Date().toISOString() : null;
  keep();
  show();
  focusHeading();
}
element("back").addEventListener("click", () => move(-1));
element("revise").addEventListener("click", () => move(-1));

// ---- the end
function answersText() {
  const answers = state.order.map((name) => {
    const draft = state.answers[name];
    const seen = draft.change === "yes";
    const value = (x) => (seen ? x : null);
    return {trial: name, change: seen, amount: value(draft.amount), common: value(draft.common.trim()),
      rows: value(draft.rows.filter((row) => row !== "none").map(Number)), similarity: value(Number(draft.similarity)),
      difficulty: value(Number(draft.difficulty)), seconds: Math.round(10 * (state.seconds[name] || 0)) / 10};
  });
  return JSON.stringify({format: content.format, study: content.study, participant: state.participant, session: state.session, seed: state.seed,
    order: state.order, started: state.started, finished: state.finished, answers}, null, 1) + "\n";
}

element("download").addEventListener("click", () => {
  const file = `answers-${content.study.slice(0, 8)}-${state.participant.replace(/[^A-Za-z0-9_-]+/g, "_")}.json`;
  const address = URL.createObjectURL(new Blob([answersText()], {type: "application/json"}));
  const link = make("a", {href: address, download: file});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  element("downloaded").textContent = `Saved as ${file}.`;
});

element("restart").addEventListener("click", () => {
  if (!confirm("This clears the answers from this device. Have you downloaded them?")) return;
  state = fresh();
  keep();
  element("downloaded").textContent = "";
  element("start").reset();
  show();
  focusHeading();
});

document.addEventListener("visibilitychange", () => { countTime(); keep(); });
window.addEventListener("pagehide", () => { countTime(); keep(); });
keep();
show();
})();
