// Judgements of a person: they are kept in the browser, and saved as files for sourcedata and other tools' scripts.
(function () {
  const { table, rows, column } = catalogue, PREFIX = `bids_deepseg:judgement:${document.getElementById("top").dataset.identity}:`, MARKS = ["pass", "fail", "artifact"];
  const said = column("said"), kind = column("kind"), file = column("file");
  document.getElementById("judging").append(document.getElementById("judge").content.cloneNode(true));
  const panel = document.querySelector(".judge"), find = (selector) => panel.querySelector(selector);
  const told = find(".told"), rank = find(".rank"), words = find(".words"), keys = find(".keys input");
  const which = find(".which"), link = find(".chosen");
  const saving = Array.from(panel.querySelectorAll("[data-save]"));
  const judging = [rank, words, ...panel.querySelectorAll("[data-mark]")];
  table.classList.add("live");
  let current = null;

  // ---- what is kept

  const memory = new Map(), given = new Map();
  function clean(found) {
    const of = found !== null && typeof found === "object" ? found : {};
    return {
      mark: MARKS.includes(of.mark) ? of.mark : "",
      rank: Number.isInteger(of.rank) && of.rank >= 0 && of.rank <= 9 ? of.rank : null,
      comment: typeof of.comment === "string" ? of.comment : "",
    };
  }
  const isEmpty = (one) => !one.mark && one.rank === null && !one.comment;
  function read(key) {
    if (memory.has(key)) return memory.get(key);
    try {
      const text = localStorage.getItem(PREFIX + key);
      if (text !== null) return clean(JSON.parse(text));
    } catch { /* Nothing is kept here, or something else is. */ }
    return given.get(key);
  }
  function write(key, one) {
    try {
      if (isEmpty(one) && isEmpty(given.get(key))) localStorage.removeItem(PREFIX + key);
      else localStorage.setItem(PREFIX + key, JSON.stringify(one));
      memory.delete(key);
    } catch {
      memory.set(key, one);
      told.textContent = "This browser keeps nothing for this page: save the files before you close it.";
    }
  }
  function show(row) {
    const one = read(row.dataset.image), cell = row.cells[said];
    cell.dataset.mark = one.mark;
    cell.dataset.key = one.mark === "" ? 3 : ["fail", "artifact", "pass"].indexOf(one.mark);
    cell.textContent = isEmpty(one) ? "–"
      : [one.mark, one.rank === null ? "" : String(one.rank)].filter(Boolean).join(" ") + (one.comment ? `: ${one.comment}` : "");
    if (row === current) fill(one);
  }
  function tally() {
    const judged = rows.filter((row) => row.cells[said].dataset.mark).length;
    find(".tally").textContent = `${judged} of ${rows.length} marked`;
  }
  function change(part) {
    if (!current) return;
    write(current.dataset.image, { ...read(current.dataset.image), ...part });
    show(current);
    catalogue.changed();
    tally();
  }

  // ---- which image is meant

  function fill(one) {
    for (const button of panel.querySelectorAll("[data-mark]")) button.setAttribute("aria-pressed", String(button.dataset.mark === one.mark));
    rank.value = one.rank === null ? "" : String(one.rank);
    if (document.activeElement !== words) words.value = one.comment;
  }
  function choose(row) {
    if (current) current.removeAttribute("aria-current");
    current = row;
    row.setAttribute("aria-current", "true");
    table.style.setProperty("--head", `${table.tHead.offsetHeight + 2}px`);
    table.style.setProperty("--foot", `${panel.offsetHeight + 8}px`);
    row.scrollIntoView({ block: "nearest", behavior: "instant" });
    for (const control of judging) control.disabled = false;
    const leads = row.cells[file].querySelector("a"), seen = row.querySelector(".picture img");
    link.textContent = row.dataset.image;
    if (leads) link.setAttribute("href", leads.getAttribute("href")); else link.removeAttribute("href");
    for (const old of which.querySelectorAll("img")) old.remove();
    if (seen) which.prepend(seen.cloneNode());
    told.textContent = [row.querySelector(".badge").textContent.trim(), row.querySelector("td.area").textContent.trim() + " mm²"].join(", ");
    words.blur();
    fill(read(row.dataset.image));
    draw(row);
  }
  function move(by) {
    const shown = rows.filter((row) => !row.hidden);
    if (!shown.length) return;
    const at = shown.indexOf(current);
    choose(shown[at < 0 ? 0 : Math.min(Math.max(at + by, 0), shown.length - 1)]);
  }
  // The area along the cord of the chosen image, over the band of its kind.
  function draw(row) {
    for (const old of document.querySelectorAll(".picked")) old.remove();
    for (const plot of document.querySelectorAll(".band")) {
      const areas = (row.dataset.along || "").split(" ").map((text) => (text === "x" || text === "" ? NaN : Number(text)));
      const { low, high, places, width, height } = plot.dataset;
      if (plot.dataset.kind !== row.cells[kind].textContent || areas.length !== Number(places)) continue;
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      let text = "", down = false;
      areas.forEach((area, place) => {
        if (!Number.isFinite(area)) { down = false; return; }
        const y = (high - Math.min(Math.max(area, low), high)) / (high - low) * height;
        text += `${down ? "L" : "M"}${((place + 0.5) / places * width).toFixed(1)} ${y.toFixed(1)}`;
        down = true;
      });
      path.setAttribute("class", "picked");
      path.setAttribute("d", text || "M0 0");
      plot.append(path);
    }
  }

  // ---- files

  const clear = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, " ").trim();
  // A name that YAML reads as text as it stands; any other is quoted.
  const plain = /^(?=.*[A-Za-z])[A-Za-z][A-Za-z0-9_.+\/-]*$/, spoken = /^(true|false|yes|no|on|off|null|y|n)$/i;
  const escaped = (sign) => "\\u" + sign.charCodeAt(0).toString(16).padStart(4, "0");
  const quoted = (text) => (plain.test(text) && !spoken.test(text) ? text
    : JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, escaped));
  function list(mark) {
    const found = rows.map((row) => row.dataset.image).filter((key) => read(key).mark === mark);
    const files = Array.from(new Set(found.map((key) => key.replace(/#[0-9]+$/, "")))).sort();
    return files.length ? "FILES_SEG:\n" + files.map((file) => `- ${quoted(file)}\n`).join("") : "FILES_SEG: []\n";
  }
  function judgements() {
    const lines = ["image\tmark\trank\tcomment"];
    for (const key of rows.map((row) => row.dataset.image).sort()) {
      const one = read(key);
      if (isEmpty(one)) continue;
      lines.push([clear(key), one.mark || "n/a", one.rank === null ? "n/a" : one.rank, clear(one.comment) || "n/a"].join("\t"));
    }
    return lines.join("\n") + "\n";
  }
  const content = { "qc_judgements.tsv": judgements, "qc_fail.yml": () => list("fail"), "qc_artifact.yml": () => list("artifact") };
  for (const button of saving) button.addEventListener("click", () => {
    const name = button.dataset.save, address = URL.createObjectURL(new Blob([content[name]()], { type: "text/plain" }));
    const leads = document.createElement("a");
    leads.href = address;
    leads.download = name;
    leads.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    told.textContent = `${name} was saved. Put it into the folder sourcedata of the results and run the group level again.`;
  });

  // ---- mouse and keys

  table.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (row && !event.target.closest("a")) choose(row);
  });
  for (const button of panel.querySelectorAll("[data-move]")) button.addEventListener("click", () => move(Number(button.dataset.move)));
  for (const button of panel.querySelectorAll("[data-mark]")) button.addEventListener("click", () => {
    change({ mark: button.getAttribute("aria-pressed") === "true" ? "" : button.dataset.mark });
  });
  rank.addEventListener("change", () => change({ rank: rank.value === "" ? null : Number(rank.value) }));
  words.addEventListener("input", () => change({ comment: words.value }));
  function key(event) {
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "f" && current) change({ mark: ["", ...MARKS][(MARKS.indexOf(read(current.dataset.image).mark) + 2) % 4] });
    else if (/^[0-9]$/.test(event.key) && current) change({ rank: Number(event.key) });
    else return;
    event.preventDefault();
  }
  // In front of other listeners, so that the switch is for all keys of the page.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.matches("input:not([type=checkbox]), select, textarea")) return;
    if (!keys.checked) { if (event.key === "/") event.stopImmediatePropagation(); return; }
    key(event);
  }, true);
  addEventListener("storage", (event) => {
    if (event.key === null) rows.forEach(show);
    else if (event.key.startsWith(PREFIX)) rows.filter((row) => row.dataset.image === event.key.slice(PREFIX.length)).forEach(show);
    else return;
    tally();
  });

  for (const control of judging) control.disabled = true;
  for (const row of rows) {
    const cell = row.cells[said], { mark, rank: number, comment } = cell.dataset;
    given.set(row.dataset.image, clean({ mark, rank: number === "" ? null : Number(number), comment }));
    show(row);
  }
  tally();
})();
