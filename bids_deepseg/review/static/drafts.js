// Drawings and points that are not saved yet, kept in this browser so that neither a reload nor the end of the server
// loses them. A draft is written in the moment in which a stroke ends, in one transaction that is committed at once.

const STORE = "drafts";

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("bids_deepseg-review", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export class Drafts {
  static async open(review) {
    return new Drafts(await opened(), review);
  }

  constructor(database, review) {
    this.database = database;
    this.review = review;
  }

  key(id) {
    return `${this.review}/${id}`;
  }

  /** Keep a draft; what is told by `failed` is that the browser could not. */
  keep(id, draft, failed) {
    const transaction = this.database.transaction(STORE, "readwrite", { durability: "strict" });
    transaction.objectStore(STORE).put(draft, this.key(id));
    transaction.onabort = () => failed(transaction.error);
    transaction.commit?.();
  }

  drop(id) {
    const transaction = this.database.transaction(STORE, "readwrite");
    transaction.objectStore(STORE).delete(this.key(id));
    transaction.commit?.();
  }

  find(id) {
    return new Promise((resolve, reject) => {
      const request = this.database.transaction(STORE).objectStore(STORE).get(this.key(id));
      request.onsuccess = () => resolve(request.result ?? null);
      request.onerror = () => reject(request.error);
    });
  }

  /** Return the names of all images with a draft. */
  names() {
    return new Promise((resolve, reject) => {
      const request = this.database.transaction(STORE).objectStore(STORE).getAllKeys();
      request.onsuccess = () =>
        resolve(request.result.filter((key) => key.startsWith(`${this.review}/`)).map((key) => key.split("/")[1]));
      request.onerror = () => reject(request.error);
    });
  }
}

/** Write a mask as the lengths of its runs of 0, 1, 0, 1 and so on. */
export function runs(mask) {
  const lengths = [];
  let start = 0;
  for (let value = 0; start < mask.length || !lengths.length; value = 1 - value) {
    const found = mask.indexOf(1 - value, start);
    const end = found < 0 ? mask.length : found;
    lengths.push(end - start);
    start = end;
  }
  return Uint32Array.from(lengths);
}

/** Return the mask of its runs. */
export function unrun(lengths, size) {
  const mask = new Uint8Array(size);
  let at = 0;
  lengths.forEach((length, n) => {
    if (n % 2) mask.fill(1, at, at + length);
    at += length;
  });
  return mask;
}
