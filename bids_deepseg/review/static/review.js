// The page of a review: the list, the judgement, drawing, points, saving, running again. Texts of files and people are
// only ever set as text.

import { Drafts, unrun } from "./drafts.js";
import { Refusal, server } from "./server.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const VERDICTS = { none: "no result", fail: "fail", warn: "warn", pass: "pass" };
const NIFTI_BYTES = 352;
const LOCK_PATIENCE_MS = 700;

const state = {
  review: null, images: [], current: null, details: null, drafts: null, drafted: new Set(),
  base: "", lineBase: "", points: [], isDrawn: false, isClicked: false, isLocked: false, opening: 0, judged: null,
  release: null, saving: null, isFinished: false, flushed: Promise.resolve(),
};

const viewer = new Viewer($("canvas"), { changed, moved, clicked: addPoint });

// ---- telling --------------------------------------------------------------------------------------------------------

function tell(text, isBad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", isBad);
}

function tellError(error) {
  console.warn(error.message);
  const isLost = !(error instanceof Refusal) && (state.isDrawn || state.isClicked);
  tell(error.message + (isLost ? " What you drew is kept in this browser." : ""), true);
}

/** Run something that may fail, and tell why it did; a button is off meanwhile. */
async function attempt(work, button = null) {
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (error) {
    tellError(error);
    return null;
  } finally {
    if (button) button.disabled = false;
    enable();
  }
}

// ---- the list -------------------------------------------------------------------------------------------------------

async function loadReview() {
  state.review = await server.review();
  state.images = state.review.images;
  const { title, output, output_problem, corrections_problem } = state.review;
  document.title = isClicking() ? `Centerline of ${title}` : `Review of ${title}`;
  $("title").textContent = isClicking() ? `Click the cord in ${title}` : `${title}: ${output}`;
  if (isClicking()) onlyPoints();
  const problems = [];
  if (output_problem) {
    problems.push(`Nothing can be written into the results: no judgement is saved and no image is run again. ${output_problem}`);
  }
  if (corrections_problem) problems.push(`No correction can be saved. ${corrections_problem}`);
  $("banner").textContent = problems.join(" ");
  $("banner").hidden = !problems.length;
  if (!$("author").value) $("author").value = localStorage.getItem("bids_deepseg-author") ?? state.review.author;
}

/** Whether only a centerline is clicked, of one image, and there is no result. */
const isClicking = () => state.review?.task === "points";

function onlyPoints() {
  document.querySelectorAll("[data-task=review]").forEach((element) => {
    element.hidden = true;
  });
  document.body.classList.add("points");
  $("save-line").textContent = "Save points";
  $("save-line-run").textContent = "Save points and finish";
}

function showList() {
  const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = state.images.filter((image) => {
    const text = `${image.name} ${VERDICTS[image.verdict]} ${image.manual ? "corrected" : ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  $("count").textContent = `${shown.length} of ${state.images.length} images, the worst first`;
  const items = shown.map(entry);
  const before = [...$("images").children];
  // A long list is not put together again where only the marks of its entries change.
  if (items.length !== before.length || items.some((item, n) => item !== before[n])) $("images").replaceChildren(...items);
}

// Of a long list, only entries that changed are made again.
const entries = new Map();

function entry(image) {
  const told = JSON.stringify([image, state.drafted.has(image.id)]);
  const known = entries.get(image.id);
  const item = known?.told === told ? known.item : newEntry(image);
  entries.set(image.id, { told, item });
  item.firstChild.setAttribute("aria-current", String(image.id === state.current));
  return item;
}

function newEntry(image) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.id = image.id;
  const name = document.createElement("span");
  name.textContent = image.name;
  const about = document.createElement("small");
  const verdict = document.createElement("span");
  verdict.className = `verdict verdict-${image.verdict}`;
  verdict.textContent = VERDICTS[image.verdict];
  about.append(verdict, [
    image.area === null ? "" : `, ${image.area} mm²`,
    image.manual ? ", corrected" : "",
    state.drafted.has(image.id) ? ", not saved" : "",
  ].join(""));
  button.append(name, about);
  button.addEventListener("click", () => open(image.id));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function step(by) {
  const ids = [...document.querySelectorAll("#images button")].map((button) => button.dataset.id);
  const next = ids[ids.indexOf(state.current) + by];
  if (next) open(next).then(() => document.querySelector(`#images [data-id="${next}"]`)?.scrollIntoView({ block: "nearest" }));
}

// ---- one image ------------------------------------------------------------------------------------------------------

async function open(id) {
  state.opening += 1;
  const opening = state.opening;
  const isStale = () => opening !== state.opening;
  await state.saving;
  if (isStale()) return;
  viewer.pause();
  Object.assign(state, { current: id, details: null, isDrawn: false, isClicked: false });
  $("load-newer").hidden = true;
  showPicture(true);
  location.hash = id;
  showList();
  enable();
  tell("Loading ...");
  let lost = "";
  try {
    await flushJudgement();
  } catch (error) {
    lost = `The judgement was not saved. ${error.message}`;
  }
  try {
    const details = await server.details(id);
    if (isStale()) return;
    showAbout(details);
    state.isLocked = !(await hold(id));
    if (isStale()) return;
    const draft = await state.drafts?.find(id);
    const size = details.shape[0] * details.shape[1] * details.shape[2];
    const isKept = Boolean(draft?.runs) && draft.size === size;
    const [image, result] = await Promise.all([server.image(id), server.mask(id, "result")]);
    const start = details.mask_version && !isKept ? await server.mask(id, "correction") : result;
    if (isStale()) return;
    const mask = isKept ? unrun(draft.runs, size) : start.slice(NIFTI_BYTES);
    const isShown = await viewer.load(image, result, details.shape, mask, (size) => {
      if (!isStale()) chooseLayout(size);
      return !isStale();
    });
    if (!isShown) return;
    setZoom(viewer.goodZoom());
    state.details = details;
    state.base = isKept ? draft.base : details.mask_version;
    state.isDrawn = isKept;
    const hasPoints = Boolean(draft?.points);
    state.lineBase = hasPoints ? draft.lineBase : details.centerline_version;
    setPoints(hasPoints ? draft.points : details.points);
    state.isClicked = hasPoints;
    showOpacity();
    viewer.lock(state.isLocked);
    if (lost) tell(lost, true);
    else if (state.isLocked) tell("This image is open in another tab. Drawing and saving are off here until that is closed.", true);
    else if (isClicking() && !hasPoints) tell(`Click the cord on any plane, at both ends and about every 20 mm. The points are saved as ${details.centerline_name}.`);
    else if (isKept || hasPoints) tell(`What you had not saved is here again, from ${new Date(draft.when).toLocaleString()}.`);
    else tell(details.mask_version ? `Shown is the corrected mask (${by(details.correction)}).` : "Shown is the mask of the app.");
  } catch (error) {
    if (isStale()) return;
    $("blank").textContent = error.message;
    showPicture(false);
    tellError(error);
  }
  showList();
  enable();
}

function showPicture(isShown) {
  $("blank").hidden = isShown;
  $("canvas").style.visibility = isShown ? "visible" : "hidden";
}

/** Leave out the 3D view where it would be slow, unless a person chose it. */
function chooseLayout(size) {
  const layout = $("layout");
  if (layout.dataset.chosen) return;
  layout.value = viewer.isSlow(size) ? "planes" : "all";
  viewer.setLayout(layout.value);
}

/** Ask for what is known of an image, after what is being said about it is saved. */
async function details(id) {
  await state.flushed.catch(() => null);
  return server.details(id);
}

const savedMask = async (id, of) => (await server.mask(id, of)).slice(NIFTI_BYTES);

const by = (correction) => [correction.Author, correction.Date].filter(Boolean).join(", ") || "nobody is named";

function showAbout(details) {
  $("name").textContent = details.name;
  if (isClicking()) return;
  const verdict = document.createElement("span");
  verdict.className = `verdict verdict-${details.verdict}`;
  verdict.textContent = VERDICTS[details.verdict];
  $("facts").replaceChildren(verdict, details.area === null ? "" : `, mean area ${details.area} mm²`, details.manual ? ", corrected by hand" : "");
  $("reasons").replaceChildren(...details.messages.map((message) => {
    const item = document.createElement("li");
    item.textContent = message;
    return item;
  }));
  $("reasons-title").textContent = `Reasons and notes (${details.messages.length})`;
  $("mask-about").textContent = details.mask_version
    ? `Saved as ${details.mask_name}.` : `Will be saved as ${details.mask_name} in ${state.review.corrections}.`;
  $("aside-label").hidden = !details.mask_version;
  $("set-aside").checked = false;
  showJudgement(details.judgement);
}

/** Hold the lock of an image; false while another tab holds it, and the image opens again when that lets it go. */
function hold(id) {
  state.release?.();
  if (!navigator.locks) return Promise.resolve(true);
  const name = `bids_deepseg-review/${state.review.key}/${id}`;
  const opening = state.opening;
  return new Promise((resolve) => {
    let isLate = false;
    const control = new AbortController();
    const waiting = setTimeout(() => {
      isLate = true;
      resolve(false);
    }, LOCK_PATIENCE_MS);
    state.release = () => control.abort();
    navigator.locks.request(name, { signal: control.signal }, () => {
      clearTimeout(waiting);
      if (opening !== state.opening) return null;
      const held = new Promise((free) => {
        state.release = free;
      });
      if (isLate) open(id);
      else resolve(true);
      return isLate ? null : held;
    }).catch(() => resolve(false));
  });
}

// ---- what is not saved yet ------------------------------------------------------------------------------------------

function keepDraft(runs) {
  const { current, base, lineBase, isDrawn, isClicked, points } = state;
  const draft = { when: Date.now(), size: viewer.size, base, lineBase };
  if (isDrawn) draft.runs = runs ?? viewer.history.at(-1);
  if (isClicked) draft.points = points;
  if (isDrawn || isClicked) {
    state.drafts?.keep(current, draft, (error) => tell(`This browser cannot keep what is not saved: ${error}. Save soon.`, true));
    state.drafted.add(current);
  } else {
    state.drafts?.drop(current);
    state.drafted.delete(current);
  }
}

function changed(runs) {
  state.isDrawn = true;
  keepDraft(runs);
  enable();
}

addEventListener("beforeunload", (event) => {
  if (!state.drafts && (state.isDrawn || state.isClicked)) event.preventDefault();
});

// ---- drawing --------------------------------------------------------------------------------------------------------

function use(tool) {
  viewer.use(tool);
  document.querySelectorAll("[data-tool]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  });
}

function setBrush(size) {
  const range = $("brush");
  range.value = size;
  $("brush-size").textContent = range.value;
  viewer.setBrush(Number(range.value));
}

function setZoom(factor) {
  $("zoom").value = factor;
  viewer.zoom(Number($("zoom").value));
}

function showOpacity() {
  viewer.setOpacity(Number($("opacity").value), Number($("result").value));
}

function work(how, button) {
  return attempt(async () => {
    const id = state.current;
    const before = viewer.mask().slice();
    const after = await server.work(id, how, before);
    if (id !== state.current) return;
    let count = 0;
    after.forEach((value, n) => {
      count += value !== before[n];
    });
    if (count) viewer.replace(after);
    tell(count ? `${count} voxels changed.` : "Nothing to change.");
  }, button);
}

// ---- points ---------------------------------------------------------------------------------------------------------

function setPoints(points) {
  state.points = points.map((point) => [...point]).sort((one, other) => one[2] - other[2]);
  viewer.showPoints(state.points);
  $("points").replaceChildren(...state.points.map((point, n) => {
    const item = document.createElement("li");
    const go = document.createElement("button");
    go.type = "button";
    go.textContent = `Slice ${Math.round(point[2])}: ${Math.round(point[0])}, ${Math.round(point[1])}`;
    go.addEventListener("click", () => viewer.goTo(point));
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "Remove";
    remove.setAttribute("aria-label", `Remove the point in slice ${Math.round(point[2])}`);
    remove.addEventListener("click", () => changePoints(state.points.filter((_, m) => m !== n)));
    item.append(go, remove);
    return item;
  }));
}

function changePoints(points) {
  if (state.isLocked || !state.details) return;
  setPoints(points);
  state.isClicked = true;
  keepDraft();
  enable();
}

/** Add a point; one in the same axial slice makes place for it. */
function addPoint(point) {
  const slice = Math.round(point[2]);
  const others = state.points.filter((other) => Math.round(other[2]) !== slice);
  const isNew = others.length === state.points.length;
  changePoints([...others, point.map((x, axis) => Math.min(Math.max(x, -0.5), state.details.shape[axis] - 0.5))]);
  tell(`Point in slice ${slice} ${isNew ? "added" : "replaced"}. Points: ${state.points.length}.`);
}

// ---- saving ---------------------------------------------------------------------------------------------------------

const author = () => $("author").value.trim();

/** Save, and show what is saved then; another image is opened only after that. */
async function saved(work) {
  const id = state.current;
  let done;
  state.saving = new Promise((resolve) => {
    done = resolve;
  });
  try {
    await work(id);
    keepDraft();
    state.details = await details(id);
    showAbout(state.details);
    showList();
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.status === 409) $("load-newer").hidden = false;
    throw error;
  } finally {
    done();
  }
}

function saveMask(button) {
  return attempt(async () => {
    const runs = viewer.history.at(-1);
    const isSaved = await saved(async (id) => {
      state.base = (await server.saveMask(id, viewer.mask().slice(), state.base, author())).version;
      state.isDrawn = viewer.history.at(-1) !== runs;
    });
    if (isSaved) tell(`Saved as ${state.details.mask_name}. Run the image again to use it.`);
    return isSaved;
  }, button);
}

function saveLine(button) {
  return attempt(async () => {
    const points = state.points;
    const isSaved = await saved(async (id) => {
      const content = { points, version: state.lineBase, author: author(), set_aside: $("set-aside").checked ? state.details.mask_version : "" };
      const answer = await server.saveCenterline(id, content);
      state.lineBase = answer.version;
      state.isClicked = state.points !== points;
      // A mask that was set aside is not there any more.
      if ($("set-aside").checked) state.base = answer.mask_version;
    });
    if (isSaved) tell(`Saved as ${state.details.centerline_name}.${isClicking() ? "" : " Run the image again to use it."}`);
    return isSaved;
  }, button);
}

function loadNewer() {
  return attempt(async () => {
    const id = state.current;
    const newer = await details(id);
    const isMask = newer.mask_version !== state.base;
    const mask = isMask && newer.mask_version ? await savedMask(id, "correction") : null;
    if (id !== state.current || !state.details) return;
    state.details = newer;
    if (newer.centerline_version !== state.lineBase) setPoints(newer.points);
    Object.assign(state, { base: newer.mask_version, lineBase: newer.centerline_version });
    if (mask) viewer.replace(mask);
    keepDraft();
    showAbout(newer);
    $("load-newer").hidden = true;
    tell(`Shown is the newer one (${by(newer.correction)}).${mask ? " Undo brings your drawing back." : ""}`);
  }, $("load-newer"));
}

// ---- the judgement --------------------------------------------------------------------------------------------------

const judgement = () => ({
  mark: document.querySelector("[name=mark]:checked")?.value ?? "", rank: $("rank").value, comment: $("comment").value.trim(),
});

function showJudgement(given) {
  state.judged = { id: state.current, ...given };
  document.querySelectorAll("[name=mark]").forEach((radio) => {
    radio.checked = radio.value === given.mark;
  });
  $("rank").value = given.rank;
  $("comment").value = given.comment;
}

/** Save the judgement if it is another one than is saved; one change after the other. */
function flushJudgement() {
  state.flushed = state.flushed.catch(() => null).then(saveJudgement);
  return state.flushed;
}

async function saveJudgement() {
  const before = state.judged;
  const now = judgement();
  if (!before || ["mark", "rank", "comment"].every((name) => before[name] === now[name])) return;
  const { id, ...known } = before;
  await server.saveJudgement(id, { ...now, before: known, author: author() });
  state.judged = { id, ...now };
  tell("Judgement saved.");
}

// ---- running again --------------------------------------------------------------------------------------------------

function runAgain() {
  return attempt(async () => {
    const id = state.current;
    let job = await server.rerun(id);
    $("run-details").hidden = false;
    while (job.code === null) {
      $("run-title").textContent = "Running ...";
      $("run-lines").textContent = job.lines.join("\n");
      tell("Running the image again ...");
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
      job = await server.job(job.job);
    }
    $("run-title").textContent = job.code ? `The run ended with code ${job.code}` : "The run has ended";
    $("run-lines").textContent = job.lines.join("\n");
    await loadReview();
    if (id === state.current) await open(id);
    const image = state.images.find((each) => each.id === id);
    const area = image?.area === null || !image ? "" : `, mean area ${image.area} mm²`;
    if (job.code) tell(`The run ended with code ${job.code}; what it wrote is below the buttons.`, true);
    else tell(`Run again: ${VERDICTS[image?.verdict ?? "none"]}${area}.`);
  }, $("rerun"));
}

/** Save the points, and let the program that waits for them go on. */
async function finish() {
  if (!(await saveLine($("save-line-run")))) return;
  await attempt(async () => {
    await server.finish();
    state.isFinished = true;
    tell(`Saved as ${state.details.centerline_name}. The program goes on; you can close this page.`);
  });
}

const thenRun = async (save, button) => {
  if (await save(button)) await runAgain();
};

// ---- what is possible -----------------------------------------------------------------------------------------------

function enable() {
  const isOpen = state.details !== null;
  const canSave = isOpen && !state.isLocked && !state.isFinished && !state.review?.corrections_problem;
  const canWrite = isOpen && !state.review?.output_problem;
  $("judging").disabled = !canWrite;
  $("drawing").disabled = !isOpen || state.isLocked;
  $("line").disabled = !isOpen || state.isLocked;
  $("save-mask").disabled = !canSave;
  $("save-line").disabled = !canSave || !state.points.length;
  $("save-mask-run").disabled = !canSave || !canWrite;
  $("save-line-run").disabled = !canSave || !canWrite || !state.points.length;
  $("rerun").disabled = !canWrite;
  $("undo").disabled = !isOpen || viewer.history.length < 2;
  $("redo").disabled = !isOpen || !viewer.undone.length;
  $("suggest").disabled = !state.details?.suggested.length;
}

function moved(voxel) {
  voxel.forEach((x, axis) => {
    const input = $(`at-${axis}`);
    if (document.activeElement !== input) input.value = x;
    if (viewer.shape) input.max = viewer.shape[axis] - 1;
  });
}

// ---- keys and buttons -----------------------------------------------------------------------------------------------

const TOOL_KEYS = { v: "look", b: "brush", e: "erase", f: "fill", p: "point" };
const MOVES = {
  ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowUp: [0, 0, 1], ArrowDown: [0, 0, -1], PageUp: [0, 1, 0], PageDown: [0, -1, 0],
};

function onKey(event) {
  const isSave = (event.ctrlKey || event.metaKey) && event.key === "s";
  const isTyping = event.target.matches("input:not([type=range], [type=radio], [type=checkbox]), textarea, select");
  if (!isSave && (isTyping || event.altKey || $("help").open)) return;
  if (handleKey(event, isSave)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}

function handleKey(event, isSave) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isPicture = event.target === $("canvas") && state.details;
  if (isSave) $(isClicking() ? "save-line" : "save-mask").click();
  else if (key === "z" && !isClicking()) $(event.shiftKey ? "redo" : "undo").click();
  else if (event.ctrlKey || event.metaKey) return false;
  else if (key === "v" || key === "p") use(TOOL_KEYS[key]);
  else if (isClicking() && (key in TOOL_KEYS || "[]ijkz".includes(key))) return false;
  else if (key in TOOL_KEYS) use(TOOL_KEYS[key]);
  else if (key === "[" || key === "]") setBrush(viewer.brush + (key === "]" ? 2 : -2));
  else if ("+=-".includes(key) && state.details) setZoom(Number($("zoom").value) + (key === "-" ? -1 : 1));
  else if (key === "i") $("interpolate").click();
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else if (isPicture && key in MOVES) {
    const moved = viewer.voxel().map((x, axis) => Math.min(Math.max(x + MOVES[key][axis], 0), viewer.shape[axis] - 1));
    viewer.goTo(moved);
  } else if (isPicture && key === "Enter" && viewer.tool === "point") addPoint(viewer.voxel());
  else return false;
  return true;
}

function listen() {
  const on = (id, work, kind = "click") => $(id).addEventListener(kind, work);
  document.addEventListener("keydown", onKey, { capture: true });
  document.querySelectorAll("[data-tool]").forEach((button) => {
    button.addEventListener("click", () => use(button.dataset.tool));
  });
  on("find", showList, "input");
  on("author", () => localStorage.setItem("bids_deepseg-author", author()), "change");
  on("help-open", () => $("help").showModal());
  on("layout", () => {
    $("layout").dataset.chosen = "yes";
    viewer.setLayout($("layout").value);
  }, "change");
  on("zoom", () => setZoom($("zoom").value), "input");
  on("opacity", showOpacity, "input");
  on("result", showOpacity, "input");
  on("smooth-pixels", () => viewer.smoothPixels($("smooth-pixels").checked), "change");
  on("brush", () => setBrush($("brush").value), "input");
  on("undo", () => viewer.undo());
  on("redo", () => viewer.redo());
  on("clear-slice", () => viewer.clearSlice());
  on("interpolate", () => work("interpolate", $("interpolate")));
  on("smooth", () => work("smooth", $("smooth")));
  on("from-result", () => attempt(async () => viewer.replace(await savedMask(state.current, "result"))));
  on("add-point", () => addPoint(viewer.voxel()));
  on("suggest", () => changePoints(state.details.suggested));
  on("no-points", () => changePoints([]));
  on("save-mask", () => saveMask($("save-mask")));
  on("save-mask-run", () => thenRun(saveMask, $("save-mask-run")));
  on("save-line", () => saveLine($("save-line")));
  on("save-line-run", () => (isClicking() ? finish() : thenRun(saveLine, $("save-line-run"))));
  on("load-newer", loadNewer);
  on("rerun", runAgain);
  on("judgement", () => attempt(flushJudgement), "change");
  on("judgement", (event) => event.preventDefault(), "submit");
  [0, 1, 2].forEach((axis) => on(`at-${axis}`, () => {
    const wanted = viewer.voxel();
    wanted[axis] = Math.min(Math.max(Math.round(Number($(`at-${axis}`).value)), 0), viewer.shape[axis] - 1);
    viewer.goTo(wanted);
  }, "input"));
}

async function start() {
  listen();
  enable();
  await attempt(async () => {
    await viewer.start();
    await loadReview();
    try {
      state.drafts = await Drafts.open(state.review.key);
      state.drafted = new Set(await state.drafts.names());
    } catch (error) {
      tell(`This browser keeps nothing between visits (${error}). Save before you leave the page.`, true);
    }
    showList();
    const wanted = location.hash.slice(1);
    if (isClicking()) use("point");
    const first = state.images.find((image) => image.id === wanted) ?? state.images[0];
    if (first) await open(first.id);
  });
}

// Tests look at what is drawn.
globalThis.review = { state, viewer };

start();
