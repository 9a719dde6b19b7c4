/** A trial file under the form: the YAML text is the one truth, a change of a field edits it in place and keeps its comments. */

import { parseDocument, type Document } from "yaml";

export type Path = (string | number)[];

export interface Draft {
  text: string;
  data: Record<string, unknown>;
  error: string;
}

export function read(text: string): Draft {
  const doc = parseDocument(text);
  const error = doc.errors[0]?.message ?? "";
  const data: unknown = error ? {} : doc.toJS({ maxAliasCount: 20 });
  if (!error && (typeof data !== "object" || data === null || Array.isArray(data))) {
    return { text, data: {}, error: "A trial file is a mapping: names and values." };
  }
  return { text, data: data as Record<string, unknown>, error };
}

function edit(text: string, change: (doc: Document) => void): string {
  const doc = parseDocument(text);
  if (doc.errors.length) return text;
  change(doc);
  return doc.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The text with a value set; undefined takes it away. */
export function put(text: string, path: Path, value: unknown): string {
  return edit(text, (doc) => {
    if (value === undefined) doc.deleteIn(path);
    else if (typeof value === "object" && value !== null) {
      const node = doc.createNode(value);
      // what has no parts of its own stands on one line
      if (Object.values(value).every((v) => typeof v !== "object")) (node as { flow?: boolean }).flow = true;
      doc.setIn(path, node);
    } else doc.setIn(path, value);
  });
}

/** The text with an entry more in a list, written on one line. */
export function append(text: string, path: Path, value: unknown): string {
  return edit(text, (doc) => {
    const node = doc.createNode(value);
    const plain = typeof value === "object" && value !== null && Object.values(value).every((v) => typeof v !== "object");
    if (plain) (node as { flow?: boolean }).flow = true;
    if (doc.getIn(path) === undefined) doc.setIn(path, doc.createNode([value]));
    else doc.addIn(path, node);
  });
}

/** The text without an entry of a list. */
export function drop(text: string, path: Path): string {
  return edit(text, (doc) => void doc.deleteIn(path));
}

/** The text without an entry of a mapping, and without the mapping if it was the last. */
export function dropEmpty(text: string, path: Path, name: string): string {
  return edit(text, (doc) => {
    doc.deleteIn([...path, name]);
    const left = doc.getIn(path) as { items?: unknown[] } | undefined;
    if (left?.items?.length === 0) doc.deleteIn(path);
  });
}

/** A value inside plain data. */
export function at(data: unknown, path: Path): unknown {
  let x: unknown = data;
  for (const p of path) {
    if (typeof x !== "object" || x === null) return undefined;
    x = (x as Record<string | number, unknown>)[p];
  }
  return x;
}

/** A trial of one's own does not claim the published figures of the one it was copied from. */
export function isEdited(text: string, shipped: string): boolean {
  return text.trim() !== shipped.trim();
}
