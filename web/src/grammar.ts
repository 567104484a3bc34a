// The grammar of programs as an automaton over tokens: which ones may come next. It reads the regular expression of
// agent/language/program.py and makes a state only when a text reaches it (Antimirov's partial derivatives, 1996,
// https://doi.org/10.1016/0304-3975(95)00182-4): in all, there are a million states.

// A part of a program still to come: `node`, then `rest`.
class Continuations {
  #known = new Map();

  then(node, rest) {
    const key = `${node.id} ${rest ? rest.id : ""}`;
    if (!this.#known.has(key)) this.#known.set(key, { id: this.#known.size, node, rest });
    return this.#known.get(key);
  }
}

export class Grammar {
  #continuations = new Continuations();
  #states = new Map(); // ids of continuations -> state
  #trie = { children: new Map(), tokens: [] };

  // pattern: a regular expression of bytes, one character each; texts: of the tokens, the same.
  constructor(pattern, texts) {
    this.start = this.#state(this.#enter(parsePattern(pattern), null));
    texts.forEach((text, token) => {
      let node = this.#trie;
      for (const character of text) {
        if (!node.children.has(character)) node.children.set(character, { children: new Map(), tokens: [] });
        node = node.children.get(character);
      }
      if (text) node.tokens.push(token);
    });
  }

  // State after a text, or null where the text leaves the grammar. Its `accepts` tells whether a program may end here.
  after(state, text) {
    for (const character of text) {
      state = this.#step(state, character);
      if (!state) return null;
    }
    return state;
  }

  // The tokens that may come next.
  allowed(state) {
    state.allowed ??= this.#walk(state, this.#trie);
    return state.allowed;
  }

  #walk(state, { children, tokens }) {
    const found = [...tokens];
    for (const [character, child] of children) {
      const next = this.#step(state, character);
      if (next) found.push(...this.#walk(next, child));
    }
    return found;
  }

  #step(state, character) {
    if (!state.steps.has(character)) {
      const reached = state.parts
        .filter(({ node }) => node.characters.has(character))
        .flatMap(({ rest }) => (rest ? this.#enter(rest.node, rest.rest) : [null]));
      state.steps.set(character, reached.length ? this.#state(reached) : null);
    }
    return state.steps.get(character);
  }

  // Continuations that begin with a character, and null for an end, where a node and then `rest` is to come.
  #enter(node, rest) {
    const leave = () => (rest ? this.#enter(rest.node, rest.rest) : [null]);
    switch (node.kind) {
      case "characters":
        return [this.#continuations.then(node, rest)];
      case "choice":
        return node.nodes.flatMap((each) => this.#enter(each, rest));
      case "sequence": {
        if (!node.nodes.length) return leave();
        const later = node.nodes.slice(1).reduceRight((end, each) => this.#continuations.then(each, end), rest);
        return this.#enter(node.nodes[0], later);
      }
      case "repeat": {
        const fewer = node.fewer();
        const once = this.#enter(node.node, fewer ? this.#continuations.then(fewer, rest) : rest);
        return node.least ? once : [...once, ...leave()];
      }
    }
  }

  #state(reached) {
    const parts = new Map(reached.filter(Boolean).map((part) => [part.id, part]));
    const accepts = reached.includes(null);
    const key = `${[...parts.keys()].sort((a, b) => a - b).join()}${accepts ? "." : ""}`;
    if (!this.#states.has(key)) this.#states.set(key, { parts: [...parts.values()], accepts, steps: new Map() });
    return this.#states.get(key);
  }
}

// The syntax tree of a regular expression with groups (?:), |, classes, ? and {m,n}.
function parsePattern(pattern) {
  let [place, count] = [0, 0];
  const make = (kind, fields) => ({ kind, id: count++, ...fields });
  const repeat = (node, least, most) => {
    let fewer;
    const next = () => (fewer ??= most > 1 ? repeat(node, Math.max(0, least - 1), most - 1) : null);
    return make("repeat", { node, least, fewer: next });
  };

  function choice() {
    const nodes = [sequence()];
    while (pattern[place] === "|") {
      place += 1;
      nodes.push(sequence());
    }
    return nodes.length > 1 ? make("choice", { nodes }) : nodes[0];
  }

  function sequence() {
    const nodes = [];
    while (place < pattern.length && !"|)".includes(pattern[place])) nodes.push(repeated(single()));
    return nodes.length === 1 ? nodes[0] : make("sequence", { nodes });
  }

  function repeated(node) {
    if (pattern[place] === "?") {
      place += 1;
      return repeat(node, 0, 1);
    }
    const bounds = /^\{(\d+),(\d+)\}/.exec(pattern.slice(place, place + 10));
    if (!bounds) return node;
    place += bounds[0].length;
    return repeat(node, Number(bounds[1]), Number(bounds[2]));
  }

  function single() {
    if (pattern.startsWith("(?:", place)) {
      place += 3;
      const node = choice();
      place += 1;
      return node;
    }
    return make("characters", { characters: pattern[place] === "[" ? characterClass() : new Set([literal()]) });
  }

  function literal() {
    if (pattern[place] === "\\") place += 1;
    return pattern[place++];
  }

  function characterClass() {
    const characters = new Set();
    place += 1;
    while (pattern[place] !== "]") {
      const first = literal();
      const last = pattern[place] === "-" && pattern[place + 1] !== "]" ? pattern[(place += 2) - 1] : first;
      for (let code = first.charCodeAt(); code <= last.charCodeAt(); code++) characters.add(String.fromCharCode(code));
    }
    place += 1;
    return characters;
  }

  return choice();
}
