// The filter of a segment as JSON, and as the tree that the builder edits. Pure: no DOM.
//
// A node is a condition {field, op, value} or a group {match, entries}; the root is a group.
export const MATCHES = ["all", "any", "none"];

/** The group's key in an entry, or undefined for a condition. */
export const matchOf = (entry) => MATCHES.find((key) => entry && Array.isArray(entry[key]));

const nodeOf = (entry) => {
  const match = matchOf(entry);
  return match ? { match, entries: entry[match].map(nodeOf) } : { ...entry };
};

/** The tree of a filter. One group alone is the root itself. */
export function treeOf(filter) {
  if (!Array.isArray(filter)) throw new TypeError("a filter is a list");
  const entries = filter.map(nodeOf);
  return entries.length === 1 && entries[0].match ? entries[0] : { match: "all", entries };
}

const entryOf = (node) => (node.match ? { [node.match]: node.entries.map(entryOf) } : { ...node });

/** The filter of a tree. Empty groups are left out. */
export function filterOf(root) {
  const kept = withoutEmpty(root);
  if (!kept.entries.length) return [];
  return kept.match === "all" ? kept.entries.map(entryOf) : [entryOf(kept)];
}

function withoutEmpty(group) {
  const entries = group.entries
    .map((node) => (node.match ? withoutEmpty(node) : node))
    .filter((node) => !node.match || node.entries.length);
  return { match: group.match, entries };
}

/** Calls visit(node, path) for each condition; the path is the server's name of it, such as filter.0.any.1. */
export function eachCondition(root, visit) {
  const walk = (group, base) => {
    let index = 0;
    for (const node of group.entries) {
      if (node.match && !withoutEmpty(node).entries.length) continue;
      const path = `${base}.${index++}`;
      if (node.match) walk(node, `${path}.${node.match}`);
      else visit(node, path);
    }
  };
  walk(root, root.match === "all" ? "filter" : `filter.0.${root.match}`);
}

export function countConditions(root) {
  let n = 0;
  eachCondition(root, () => n++);
  return n;
}

/** Whether the condition can be sent to the server. */
export function isComplete({ field, op, value }) {
  if (!field || !op || value === undefined || value === null || value === "") return false;
  return !(Array.isArray(value) && !value.length) && !Number.isNaN(value);
}
