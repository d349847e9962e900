// Requests to the server of this page. All addresses are relative, so that each begins with the token of the page.

/** An answer that is no success: its status and what the server says. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The server did not answer at all: it was ended, or the connection is lost. */
export class Unreachable extends Error {}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Unreachable("The server of this page does not answer. Start it again with the same command.");
  }
  if (!answer.ok) {
    let told = "";
    try {
      told = (await answer.json()).error;
    } catch {
      // Not an answer of the app.
    }
    throw new Refusal(answer.status, told || `The server answered with ${answer.status}.`);
  }
  return answer;
}

const asJson = async (answer) => (await answer).json();

const asBytes = async (answer) => new Uint8Array(await (await answer).arrayBuffer());

const sent = (method, content) => ({ method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });

async function zipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const drawn = async (method, bytes) => ({
  method, headers: { "Content-Type": "application/octet-stream" }, body: await zipped(bytes),
});

const at = (id, rest = "") => `api/images/${encodeURIComponent(id)}${rest}`;

export const server = {
  review: () => asJson(ask("api/review")),
  details: (id) => asJson(ask(at(id))),
  image: (id) => asBytes(ask(at(id, "/image.nii"))),
  mask: (id, of) => asBytes(ask(at(id, `/mask.nii?of=${of}`))),
  saveMask: async (id, bytes, version, author) =>
    asJson(ask(at(id, `/mask?${new URLSearchParams({ version, author })}`), await drawn("PUT", bytes))),
  saveCenterline: (id, content) => asJson(ask(at(id, "/centerline"), sent("PUT", content))),
  saveJudgement: (id, content) => asJson(ask(at(id, "/judgement"), sent("PUT", content))),
  work: async (id, how, bytes) => asBytes(ask(at(id, `/work?how=${how}`), await drawn("POST", bytes))),
  rerun: (id) => asJson(ask(at(id, "/rerun"), { method: "POST" })),
  finish: () => asJson(ask("api/finish", { method: "POST" })),
  job: (number) => asJson(ask(`api/jobs/${number}`)),
};
