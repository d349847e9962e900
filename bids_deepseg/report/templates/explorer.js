// The page is readable without this. It adds judgements, keys, and a window that shows every slice of an image: grey
// pixels come from a picture of tiles, the mask and the probability from one byte a voxel (report/explorer.py).
(function () {
  const get = (id) => document.getElementById(id);
  const sections = Array.from(document.querySelectorAll("section.image"));
  const dialog = get("explorer");
  const clamp = (value, n) => Math.min(Math.max(value, 0), n - 1);

  function make(tag, facts, ...inside) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(facts)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  }

  function button(text, act, kind) {
    const made = make("button", { type: "button", class: kind || "" }, text);
    made.addEventListener("click", act);
    return made;
  }

  let silence;
  function say(text) {
    get("explorer-said").textContent = text;
    clearTimeout(silence);
    silence = setTimeout(() => { get("explorer-said").textContent = ""; }, 2500);
  }

  // ---- judgements, kept in this browser ---------------------------------------------------------------------------
  const MARKS = ["pass", "fail", "artifact"];
  const unsaved = new Map();
  const watchers = [];
  const nameOf = (image) => `bids_deepseg:judgement:${get("top").dataset.identity}:${image}`;

  function judgementOf(image) {
    let text = unsaved.get(image);
    try { text = localStorage.getItem(nameOf(image)) ?? text; } catch { /* This browser keeps nothing. */ }
    let told = {};
    try { told = JSON.parse(text ?? "{}") ?? {}; } catch { /* Not ours. */ }
    return {
      mark: MARKS.includes(told.mark) ? told.mark : "",
      rank: Number.isInteger(told.rank) && told.rank >= 0 && told.rank <= 9 ? told.rank : null,
      comment: typeof told.comment === "string" ? told.comment : "",
    };
  }

  function judge(image, change) {
    const told = { ...judgementOf(image), ...change };
    const empty = !told.mark && told.rank === null && !told.comment;
    const text = JSON.stringify(told);
    if (empty) unsaved.delete(image); else unsaved.set(image, text);
    try {
      if (empty) localStorage.removeItem(nameOf(image)); else localStorage.setItem(nameOf(image), text);
    } catch { say("This browser does not keep judgements: save them before you leave the page."); }
    for (const watch of watchers) watch(image);
  }

  let groups = 0;
  function judgementForm(imageOf) {
    const group = "mark-" + (groups += 1);
    const radios = ["", ...MARKS].map((mark) => make("input", { type: "radio", name: group, value: mark }));
    const rank = make("select", {}, ...["", ..."0123456789"].map((text) => make("option", { value: text }, text || "–")));
    const comment = make("input", { type: "text", maxlength: 500 });
    const marks = make("fieldset", { class: "marks" }, make("legend", {}, "Your judgement"),
      ...radios.map((radio) => make("label", {}, radio, radio.value || "none")));
    const form = make("div", { class: "judgement" }, marks, make("label", {}, "Rank", rank),
      make("label", { class: "comment" }, "Comment", comment));
    for (const radio of radios) radio.addEventListener("change", () => judge(imageOf(), { mark: radio.value }));
    rank.addEventListener("change", () => judge(imageOf(), { rank: rank.value === "" ? null : Number(rank.value) }));
    comment.addEventListener("input", () => judge(imageOf(), { comment: comment.value }));
    function show(image) {
      if (image !== undefined && image !== imageOf()) return;
      const told = judgementOf(imageOf());
      for (const radio of radios) radio.checked = radio.value === told.mark;
      rank.value = told.rank === null ? "" : String(told.rank);
      if (comment.value !== told.comment) comment.value = told.comment;
      form.classList.toggle("empty", !told.mark && told.rank === null && !told.comment);
    }
    watchers.push(show);
    return { form, show };
  }

  // The table that the group level reads; pages of some browsers do not see each other's judgements.
  function table() {
    const clean = (text) => String(text).replace(/[\t\r\n]+/g, " ").trim() || "n/a";
    const rows = sections.map((section) => [section.dataset.image, judgementOf(section.dataset.image)])
      .filter(([, told]) => told.mark || told.rank !== null || told.comment)
      .map(([image, told]) => [image, told.mark, told.rank ?? "", told.comment].map(clean).join("\t") + "\n");
    return "image\tmark\trank\tcomment\n" + rows.join("");
  }

  // ---- data of an image -------------------------------------------------------------------------------------------
  const loaded = new Map();

  async function unpack(text) {
    if (!text) return null;
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // The heat comes in blocks of some voxels each way; here it gets a byte for each voxel, as the layers have.
  function spread(data, blocks) {
    const [columns, rows] = data.voxels, { step } = data.heat, n = data.numbers.length;
    const wide = Math.ceil(columns / step), high = Math.ceil(rows / step), heated = new Uint8Array(n * columns * rows);
    for (let row = 0; row < n; row += 1) {
      for (let r = 0; r < rows; r += 1) {
        const from = (row * high + Math.floor(r / step)) * wide, to = (row * rows + r) * columns;
        for (let c = 0; c < columns; c += 1) heated[to + c] = blocks[from + Math.floor(c / step)];
      }
    }
    return heated;
  }

  function load(section) {
    if (!loaded.has(section)) {
      const element = section.querySelector("script.slices");
      if (!element) return null;
      const data = JSON.parse(element.textContent);
      data.sheet = new Image();
      data.ready = Promise.all([
        new Promise((done) => { data.sheet.onload = data.sheet.onerror = done; data.sheet.src = data.sprite; }),
        unpack(data.layers).then((bytes) => { data.bytes = bytes; }, () => { data.lacking = true; }),
        unpack(data.heat.values).then((blocks) => { data.heated = blocks && spread(data, blocks); }, () => { data.lacking = true; }),
      ]);
      loaded.set(section, data);
    }
    return loaded.get(section);
  }

  // ---- planes: the pixels of one view, put together from the tiles ------------------------------------------------
  // Each has its size in voxels, a canvas with the grey pixels, the byte of each voxel, and the centerline in it.
  function tileAt(data, row) {
    const { across, pitch } = data.tiles;
    return [pitch[0] * (row % across), pitch[1] * Math.floor(row / across)];
  }

  function axial(data, { row }) {
    const [columns, rows] = data.voxels, [width, height] = data.tiles.size;
    const grey = make("canvas", { width, height });
    grey.getContext("2d").drawImage(data.sheet, ...tileAt(data, row), width, height, 0, 0, width, height);
    const own = (values) => values && values.subarray(row * columns * rows, (row + 1) * columns * rows);
    const bytes = own(data.bytes), heated = own(data.heated);
    const point = data.course[row];
    return { columns, rows, grey, bytes, heated, mm: [columns * data.zooms[0], rows * data.zooms[1]], points: point ? [point] : [] };
  }

  // ``axis`` is that across the view: 0 for the coronal, whose columns are those of the tiles, 1 for the sagittal,
  // whose columns are their rows. Tiles lie at different places of the image, and so do the rows of the view.
  function along(data, { x, y }, axis) {
    const n = data.numbers.length, across = data.voxels[axis], size = data.tiles.size;
    const first = Math.min(...data.starts.map((start) => start[axis]));
    const shift = data.starts.map((start) => Math.round(start[axis] - first));
    const columns = Math.max(...shift) + across, finer = size[axis] / across;
    const grey = make("canvas", { width: Math.max(1, Math.round(columns * finer)), height: n });
    const pen = grey.getContext("2d");
    pen.imageSmoothingEnabled = false;
    const bytes = data.bytes && new Uint8Array(columns * n), heated = data.heated && new Uint8Array(columns * n);
    const other = axis === 0 ? y : x, thick = Math.max(1, size[1 - axis] / data.voxels[1 - axis]);
    for (let row = 0; row < n; row += 1) {
      const [left, top] = tileAt(data, row);
      const at = Math.min(other * size[1 - axis] / data.voxels[1 - axis], size[1 - axis] - thick);
      if (axis === 0) {
        pen.setTransform(1, 0, 0, 1, shift[row] * finer, row);
        pen.drawImage(data.sheet, left, top + at, size[0], thick, 0, 0, size[0], 1);
      } else {
        // The column of the tile is turned into a row.
        pen.setTransform(0, 1, 1, 0, shift[row] * finer, row);
        pen.drawImage(data.sheet, left + at, top, thick, size[1], 0, 0, 1, size[1]);
      }
      const tile = row * data.voxels[0] * data.voxels[1];
      for (let c = 0; c < across; c += 1) {
        const from = tile + (axis === 0 ? y * across + c : c * data.voxels[0] + x), to = row * columns + shift[row] + c;
        if (bytes) bytes[to] = data.bytes[from];
        if (heated) heated[to] = data.heated[from];
      }
    }
    const points = data.course.flatMap((point, row) => (point ? [[point[axis] + shift[row], row + 0.5]] : []));
    return { columns, rows: n, grey, bytes, heated, shift, mm: [columns * data.zooms[axis], n * data.zooms[2]], points };
  }

  const VIEWS = {
    axial: { plane: axial, cross: ({ x, y }) => [x + 0.5, y + 0.5] },
    sagittal: { plane: (data, at) => along(data, at, 1), cross: ({ y, row }, plane) => [plane.shift[row] + y + 0.5, row + 0.5] },
    coronal: { plane: (data, at) => along(data, at, 0), cross: ({ x, row }, plane) => [plane.shift[row] + x + 0.5, row + 0.5] },
  };

  // ---- drawing ----------------------------------------------------------------------------------------------------
  const BORDER = { mask: 1, structure: 2 };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  function outline(plane, bit) {
    const { columns, rows, bytes } = plane, path = [];
    const inside = (c, r) => c >= 0 && r >= 0 && c < columns && r < rows && (bytes[r * columns + c] & bit) !== 0;
    for (let r = 0; r <= rows; r += 1) {
      for (let c = 0; c <= columns; c += 1) {
        const here = inside(c, r);
        if (here !== inside(c, r - 1)) path.push([c, r, c + 1, r]);
        if (here !== inside(c - 1, r)) path.push([c, r, c, r + 1]);
      }
    }
    return path;
  }

  // From transparent over violet and orange to yellow, and over blue and green to white: brightness rises, so that it
  // can be read without colours.
  const SCALES = {
    probability: { stops: [[49, 18, 79], [177, 58, 106], [251, 159, 58], [252, 250, 156]], of: (plane, n) => plane.bytes[n] >> 2 },
    heat: { stops: [[0, 32, 63], [15, 124, 138], [111, 211, 160], [242, 255, 217]], of: (plane, n) => plane.heated[n] },
  };

  function tinted(plane, name) {
    const picture = make("canvas", { width: plane.columns, height: plane.rows });
    const pen = picture.getContext("2d"), pixels = pen.createImageData(plane.columns, plane.rows);
    const { stops, of } = SCALES[name];
    for (let n = 0; n < plane.columns * plane.rows; n += 1) {
      const share = of(plane, n) / 15;
      if (!share) continue;
      const place = share * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2), rest = place - low;
      for (let i = 0; i < 3; i += 1) pixels.data[4 * n + i] = stops[low][i] + rest * (stops[low + 1][i] - stops[low][i]);
      pixels.data[4 * n + 3] = 255 * Math.min(1, 0.35 + share);
    }
    pen.putImageData(pixels, 0, 0);
    return picture;
  }

  const state = { section: null, data: null, row: 0, x: 0, y: 0, overlay: true };
  const shows = (name) => state.overlay && state.data.has[name] !== false && dialog.querySelector(`[data-show=${name}]`).checked;
  const fade = (name) => Number(dialog.querySelector(`[data-fade=${name}]`).value) / 100;

  function paint(name) {
    const canvas = dialog.querySelector(`canvas[data-view=${name}]`), box = canvas.closest(".fit");
    const plane = VIEWS[name].plane(state.data, state);
    const zoom = parseFloat(getComputedStyle(box).zoom) || 1;
    const free = [box.clientWidth, box.clientHeight].map((side) => Math.max(side, 40));
    const scale = Math.min(free[0] / plane.mm[0], free[1] / plane.mm[1]);
    const size = plane.mm.map((side) => Math.max(1, Math.round(side * scale))), fine = (window.devicePixelRatio || 1) * zoom;
    canvas.style.width = size[0] + "px";
    canvas.style.height = size[1] + "px";
    canvas.width = Math.round(size[0] * fine);
    canvas.height = Math.round(size[1] * fine);
    const pen = canvas.getContext("2d"), { width, height } = canvas;
    const at = ([c, r]) => [c * width / plane.columns, r * height / plane.rows];
    pen.imageSmoothingEnabled = !get("explorer-voxels").checked;
    pen.imageSmoothingQuality = "high";
    pen.filter = `brightness(${get("explorer-light").value}%) contrast(${get("explorer-contrast").value}%)`;
    pen.drawImage(plane.grey, 0, 0, width, height);
    pen.filter = "none";
    const line = (names, thickness, paths, dash) => {
      pen.globalAlpha = fade(names);
      pen.lineWidth = thickness * fine;
      pen.setLineDash((dash || []).map((length) => length * fine));
      pen.beginPath();
      for (const [a, ...rest] of paths) {
        pen.moveTo(...at(a));
        for (const b of rest) pen.lineTo(...at(b));
      }
      pen.stroke();
    };
    for (const [layer, values] of [["heat", plane.heated], ["probability", plane.bytes]]) {
      if (!values || !shows(layer)) continue;
      pen.globalAlpha = fade(layer);
      pen.drawImage(tinted(plane, layer), 0, 0, width, height);
    }
    for (const layer of ["mask", "structure"]) {
      if (!plane.bytes || !shows(layer)) continue;
      pen.strokeStyle = colour(layer === "mask" ? "outline" : "inner");
      line(layer, name === "axial" ? 2 : 1.4, outline(plane, BORDER[layer]).map(([a, b, c, d]) => [[a, b], [c, d]]));
    }
    if (shows("course")) {
      pen.strokeStyle = colour("course");
      if (name !== "axial") line("course", 1.5, [plane.points], [3, 3]);
      for (const point of name === "axial" ? plane.points : []) {
        pen.globalAlpha = fade("course");
        pen.setLineDash([]);
        pen.lineWidth = 2 * fine;
        pen.beginPath();
        pen.arc(...at(point), 6 * fine, 0, 7);
        pen.stroke();
      }
    }
    if (name !== "axial") {
      pen.strokeStyle = "#ffb000";
      pen.globalAlpha = 1;
      pen.setLineDash([]);
      pen.lineWidth = 3 * fine;
      pen.beginPath();
      for (const row of state.marks) {
        const y = at([0, row + 0.5])[1];
        pen.moveTo(width, y);
        pen.lineTo(width - 8 * fine, y);
      }
      pen.stroke();
    }
    if (shows("cross")) {
      const [c, r] = VIEWS[name].cross(state, plane), gap = 12 * fine, [px, py] = at([c, r]);
      const arms = [[[0, py], [px - gap, py]], [[px + gap, py], [width, py]], [[px, 0], [px, py - gap]], [[px, py + gap], [px, height]]];
      pen.strokeStyle = "#fff";
      pen.globalAlpha = 0.8 * fade("cross");
      pen.setLineDash([]);
      pen.lineWidth = fine;
      pen.beginPath();
      // Along the cord the vertical line would only be true of this slice.
      for (const [a, b] of name === "axial" ? arms : arms.slice(0, 2)) { pen.moveTo(...a); pen.lineTo(...b); }
      pen.stroke();
    }
    pen.globalAlpha = 1;
    canvas.setAttribute("aria-label", name[0].toUpperCase() + name.slice(1) + " view, " + placeText());
  }

  function placeText() {
    const { data, row } = state;
    const parts = ["Slice " + data.numbers[row]];
    if (data.levels[row]) parts.push(data.levels[row]);
    if (data.areas[row] !== null) parts.push(data.areas[row].toFixed(1) + " mm²");
    else if (data.has.mask) parts.push("no mask");
    return parts.join(" · ");
  }

  let asked = false;
  function draw() {
    if (!dialog.open || asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!dialog.open) return;
      get("explorer-place").textContent = placeText();
      const why = state.data.notes[state.row] || "";
      get("explorer-why").textContent = why && "▲ " + why;
      get("explorer-slice").value = state.row;
      get("explorer-slice").setAttribute("aria-valuetext", placeText());
      Object.keys(VIEWS).forEach(paint);
    });
  }

  // ---- the window -------------------------------------------------------------------------------------------------
  function go(row) {
    state.row = clamp(row, state.data.numbers.length);
    draw();
  }

  function nextMark(step) {
    const marks = step > 0 ? state.marks : state.marks.slice().reverse();
    const next = marks.find((row) => (row - state.row) * step > 0) ?? marks[0];
    if (next === undefined) say("No slice is marked."); else go(next);
  }

  async function open(section, row) {
    const data = load(section);
    if (!data) return;
    Object.assign(state, { section, data, marks: Object.keys(data.notes).map(Number).sort((a, b) => a - b) });
    const found = data.areas.findIndex((area) => area !== null), last = data.areas.findLastIndex((area) => area !== null);
    const middle = found < 0 ? data.numbers.length >> 1 : (found + last) >> 1;
    state.row = clamp(row ?? state.marks[0] ?? middle, data.numbers.length);
    const point = data.course[state.row] || data.voxels.map((n) => n / 2);
    [state.x, state.y] = point.map((at, axis) => clamp(Math.floor(at), data.voxels[axis]));
    get("explorer-title").textContent = data.title;
    get("explorer-slice").max = data.numbers.length - 1;
    for (const [name, has] of Object.entries(data.has)) dialog.querySelector(`[data-layer=${name}]`).hidden = !has;
    get("explorer-heat").textContent = data.has.heat ? "" : data.heat_note;
    if (data.structure) dialog.querySelector("[data-name=structure]").textContent = data.structure[0].toUpperCase() + data.structure.slice(1);
    for (const [name, step] of [["earlier", -1], ["later", 1]]) {
      dialog.querySelector(`[data-do=${name}]`).disabled = !neighbour(section, step);
    }
    const reasons = section.querySelector(".messages");
    get("explorer-reasons").replaceChildren(...(reasons ? [reasons.cloneNode(true)] : []));
    dialog.querySelector("[data-do=next]").disabled = !state.marks.length;
    form.show();
    if (!dialog.open) {
      dialog.showModal();
      get("explorer-title").focus();
    }
    await data.ready;
    get("explorer-lacking").textContent = data.lacking ? "This browser is too old to unpack outline and probability." : "";
    draw();
  }

  function neighbour(section, step) {
    const all = sections.filter((one) => one.querySelector("script.slices"));
    return all[all.indexOf(section) + step];
  }

  function turn(step) {
    const next = neighbour(state.section, step);
    if (next) open(next); else say("There is no further image.");
  }

  function setOverlay(on) {
    state.overlay = on;
    say(on ? "Overlay on" : "Overlay off");
    draw();
  }

  const acts = {
    close: () => dialog.close(), earlier: () => turn(-1), later: () => turn(1), next: () => nextMark(1),
    up: () => go(state.row - 1), down: () => go(state.row + 1),
    reset: () => { for (const id of ["explorer-light", "explorer-contrast"]) get(id).value = 100; draw(); },
  };
  for (const element of dialog.querySelectorAll("[data-do]")) element.addEventListener("click", () => acts[element.dataset.do]());
  get("explorer-reasons").addEventListener("click", (event) => {
    const link = event.target.closest("[data-row]");
    if (!link) return;
    event.preventDefault();
    go(Number(link.dataset.row));
  });
  get("explorer-slice").addEventListener("input", (event) => go(Number(event.target.value)));
  for (const element of dialog.querySelectorAll("[data-show], [data-fade], #explorer-light, #explorer-contrast, #explorer-voxels")) {
    element.addEventListener("input", () => { if (element.dataset.show) state.overlay = true; draw(); });
  }
  dialog.addEventListener("close", () => {
    const title = state.section && state.section.querySelector("h2");
    if (title) title.focus({ preventScroll: true });
  });
  new ResizeObserver(draw).observe(dialog.querySelector(".panes"));

  function point(event) {
    const canvas = event.currentTarget, name = canvas.dataset.view, box = canvas.getBoundingClientRect();
    const plane = { axial: state.data.voxels }[name];
    const share = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (plane) {
      [state.x, state.y] = share.map((part, axis) => clamp(Math.floor(part * plane[axis]), plane[axis]));
    } else {
      const axis = name === "sagittal" ? 1 : 0, offsets = state.data.starts.map((start) => start[axis]);
      const first = Math.min(...offsets), columns = Math.round(Math.max(...offsets) - first) + state.data.voxels[axis];
      state.row = clamp(Math.floor(share[1] * state.data.numbers.length), state.data.numbers.length);
      const at = Math.floor(share[0] * columns) - Math.round(offsets[state.row] - first);
      state[axis ? "y" : "x"] = clamp(at, state.data.voxels[axis]);
    }
    draw();
  }
  for (const canvas of dialog.querySelectorAll("canvas")) {
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); point(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey) return;
      event.preventDefault();
      go(state.row + Math.sign(event.deltaY));
    }, { passive: false });
  }

  // ---- the page ---------------------------------------------------------------------------------------------------
  const form = judgementForm(() => (state.section ? state.section.dataset.image : ""));
  get("explorer-judgement").replaceWith(form.form);

  function rowAt(event, box, n) {
    return event.detail === 0 ? undefined : clamp(Math.floor((event.clientY - box.top) / box.height * n), n);
  }

  for (const section of sections) {
    const own = judgementForm(() => section.dataset.image), tools = make("div", { class: "toolbar" });
    own.show();
    const data = section.querySelector("script.slices") && load;
    if (data) tools.append(button("Look at every slice", () => open(section), "closer"));
    tools.append(own.form);
    section.querySelector(".title").after(tools);
    if (!data) continue;
    for (const tile of section.querySelectorAll("[data-tile]")) {
      const cover = button("", () => open(section, Number(tile.dataset.tile)), "open");
      cover.setAttribute("aria-label", "Open slice " + tile.querySelector("b").textContent);
      tile.querySelector(".frame").append(cover);
    }
    for (const view of section.querySelectorAll(".lengthwise .frame")) {
      const n = view.querySelector("img").height;
      const cover = button("", (event) => open(section, rowAt(event, view.getBoundingClientRect(), Number(view.querySelector("img").getAttribute("height")) || n)), "open");
      cover.setAttribute("aria-label", "Open the slice at a height of the " + view.nextElementSibling.textContent.toLowerCase() + " view");
      view.append(cover);
    }
    for (const plot of section.querySelectorAll(".aligned .plot")) {
      plot.classList.add("clickable");
      plot.addEventListener("click", (event) => {
        const n = Number(section.querySelector(".lengthwise img").getAttribute("height"));
        open(section, rowAt(event, plot.querySelector(".axis").getBoundingClientRect(), n));
      });
    }
    for (const place of section.querySelectorAll("[data-row]")) {
      const link = make("a", { href: place.getAttribute("href") || "#" + section.id, "data-row": place.dataset.row }, place.textContent);
      link.addEventListener("click", (event) => { event.preventDefault(); open(section, Number(place.dataset.row)); });
      place.replaceWith(link);
    }
  }

  const save = button("Save judgements", () => {
    const link = make("a", { download: "qc_judgements.tsv", href: "data:text/tab-separated-values;charset=utf-8," + encodeURIComponent(table()) });
    link.click();
  }, "closer");
  const told = () => { save.hidden = table().split("\n").length < 3; };
  watchers.push(told);
  told();
  document.querySelector("main > footer").before(save);
  addEventListener("storage", () => { for (const section of sections) for (const watch of watchers) watch(section.dataset.image); });

  // ---- keys -------------------------------------------------------------------------------------------------------
  const KEYS = "bids_deepseg:keys";
  try { get("explorer-keys").checked = localStorage.getItem(KEYS) !== "off"; } catch { /* As by default. */ }
  get("explorer-keys").addEventListener("change", (event) => {
    try { localStorage.setItem(KEYS, event.target.checked ? "on" : "off"); } catch { /* Until the page is left. */ }
  });

  let current = null;
  function choose(section) {
    if (current) current.classList.remove("current");
    current = section;
    section.classList.add("current");
    section.scrollIntoView({ block: "start" });
    section.querySelector("h2").focus({ preventScroll: true });
  }

  function imageInView() {
    const focused = document.activeElement.closest("section.image");
    return focused || current || sections.find((section) => section.getBoundingClientRect().bottom > 80) || null;
  }

  function step(by) {
    const here = current ? sections.indexOf(current) : by > 0 ? -1 : sections.length;
    if (sections.length) choose(sections[clamp(here + by, sections.length)]);
  }

  function mark(image) {
    const cycle = ["", ...MARKS], mark = cycle[(cycle.indexOf(judgementOf(image).mark) + 1) % cycle.length];
    judge(image, { mark });
    say(image.split("/").pop() + ": " + (mark || "no mark"));
  }

  function keyInDialog(event) {
    const moves = { ArrowLeft: ["x", -1, 0], ArrowRight: ["x", 1, 0], ArrowUp: ["y", -1, 1], ArrowDown: ["y", 1, 1] };
    if (event.shiftKey && moves[event.key]) {
      const [name, by, axis] = moves[event.key];
      state[name] = clamp(state[name] + by, state.data.voxels[axis]);
      draw();
      return true;
    }
    const n = state.data.numbers.length;
    const does = {
      ArrowDown: () => go(state.row + 1), ArrowUp: () => go(state.row - 1), ArrowRight: () => setOverlay(!state.overlay),
      Home: () => go(0), End: () => go(n - 1), PageDown: () => go(state.row + 10), PageUp: () => go(state.row - 10),
    }[event.key];
    if (does) does();
    return Boolean(does);
  }

  function keyOnPage(event) {
    const title = document.activeElement.matches("section.image h2");
    const does = {
      ArrowDown: title && (() => step(1)), ArrowUp: title && (() => step(-1)),
      Enter: title && (() => open(document.activeElement.closest("section.image"))),
      ArrowRight: !document.activeElement.matches(".scroll, .aligned") && (() => get("show-outline").click()),
    }[event.key];
    if (does) does();
    return Boolean(does);
  }

  function letter(key) {
    const image = dialog.open ? state.section : imageInView();
    const does = {
      j: () => (dialog.open ? go(state.row + 1) : step(1)), k: () => (dialog.open ? go(state.row - 1) : step(-1)),
      n: dialog.open && (() => nextMark(1)), p: dialog.open && (() => nextMark(-1)),
      "]": dialog.open && (() => turn(1)), "[": dialog.open && (() => turn(-1)),
      f: image && (() => mark(image.dataset.image)),
    }[key];
    if (does) does();
    else if (/^[0-9]$/.test(key) && image) {
      judge(image.dataset.image, { rank: Number(key) });
      say(image.dataset.image.split("/").pop() + ": rank " + key);
    } else return false;
    return true;
  }

  document.addEventListener("keydown", function (event) {
    const target = event.target, arrow = /^(Arrow|Page|Home|End)/.test(event.key);
    if (event.ctrlKey || event.altKey || event.metaKey || target.matches("input[type=text], input[type=search], select, textarea")) return;
    // Sliders and radio buttons need the arrows themselves; the slider of the slices does what the window does.
    if (arrow && target.matches("input[type=range]:not(#explorer-slice), input[type=radio]")) return;
    const used = (dialog.open ? keyInDialog : keyOnPage)(event) || (get("explorer-keys").checked && letter(event.key));
    if (used) event.preventDefault();
  });
})();
