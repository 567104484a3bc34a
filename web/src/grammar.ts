// The grammar of programs as an automaton over tokens: which ones may come next. It reads the regular expression of
// agent/language/program.py and makes a state only when a text reaches it (Antimirov's partial derivatives, 1996,
// https://doi.org/10.1016/0304-3975(95)00182-4): in all, there are a million states.

// The syntax tree of a regular expression.
type Pattern =
  | { kind: "characters"; id: number; characters: Set<string> }
  | { kind: "choice" | "sequence"; id: number; nodes: Pattern[] }
  | { kind: "repeat"; id: number; node: Pattern; least: number; fewer: () => Pattern | null };

// A part of a program still to come: `node`, then `rest`.
interface Continuation {
  id: number;
  node: Pattern;
  rest: Continuation | null;
}

// What may come after some text.
interface State {
  parts: Continuation[]; // each begins with a character
  accepts: boolean; // whether a program may end here
  steps: Map<string, State | null>;
  allowed?: number[];
}

interface Trie {
  children: Map<string, Trie>;
  tokens: number[];
}

class Continuations {
  #known = new Map<string, Continuation>();

  then(node: Pattern, rest: Continuation | null): Continuation {
    const key = `${node.id} ${rest ? rest.id : ""}`;
    let known = this.#known.get(key);
    if (!known) this.#known.set(key, (known = { id: this.#known.size, node, rest }));
    return known;
  }
}

export class Grammar {
  #continuations = new Continuations();
  #states = new Map<string, State>(); // by the ids of their continuations
  #trie: Trie = { children: new Map(), tokens: [] };
  readonly start: State;

  // pattern: a regular expression of bytes, one character each; texts: of the tokens, the same.
  constructor(pattern: string, texts: string[]) {
    this.start = this.#state(this.#enter(parsePattern(pattern), null));
    texts.forEach((text, token) => {
      let node = this.#trie;
      for (const character of text) {
        let child = node.children.get(character);
        if (!child) node.children.set(character, (child = { children: new Map(), tokens: [] }));
        node = child;
      }
      if (text) node.tokens.push(token);
    });
  }

  // State after a text, or null where the text leaves the grammar.
  after(state: State, text: string): State | null {
    for (const character of text) {
      const next = this.#step(state, character);
      if (!next) return null;
      state = next;
    }
    return state;
  }

  // The tokens that may come next.
  allowed(state: State): number[] {
    state.allowed ??= this.#walk(state, this.#trie);
    return state.allowed;
  }

  #walk(state: State, { children, tokens }: Trie): number[] {
    const found = [...tokens];
    for (const [character, child] of children) {
      const next = this.#step(state, character);
      if (next) found.push(...this.#walk(next, child));
    }
    return found;
  }

  #step(state: State, character: string): State | null {
    let next = state.steps.get(character);
    if (next === undefined) {
      const reached = state.parts
        .filter(({ node }) => node.kind === "characters" && node.characters.has(character))
        .flatMap(({ rest }) => (rest ? this.#enter(rest.node, rest.rest) : [null]));
      next = reached.length ? this.#state(reached) : null;
      state.steps.set(character, next);
    }
    return next;
  }

  // Continuations that begin with a character, and null for an end, where a node and then `rest` is to come.
  #enter(node: Pattern, rest: Continuation | null): (Continuation | null)[] {
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

  #state(reached: (Continuation | null)[]): State {
    const parts = new Map(reached.filter((part) => part !== null).map((part) => [part.id, part]));
    const accepts = reached.includes(null);
    const key = `${[...parts.keys()].sort((a, b) => a - b).join()}${accepts ? "." : ""}`;
    let state = this.#states.get(key);
    if (!state) this.#states.set(key, (state = { parts: [...parts.values()], accepts, steps: new Map() }));
    return state;
  }
}

// The syntax tree of a regular expression with groups (?:), |, classes, ? and {m,n}.
function parsePattern(pattern: string): Pattern {
  let [place, count] = [0, 0];
  const repeat = (node: Pattern, least: number, most: number): Pattern => {
    let fewer: Pattern | null = null;
    const next = () => (fewer ??= most > 1 ? repeat(node, Math.max(0, least - 1), most - 1) : null);
    return { kind: "repeat", id: count++, node, least, fewer: next };
  };

  function choice(): Pattern {
    const nodes = [sequence()];
    while (pattern[place] === "|") {
      place += 1;
      nodes.push(sequence());
    }
    return nodes.length > 1 ? { kind: "choice", id: count++, nodes } : nodes[0];
  }

  function sequence(): Pattern {
    const nodes: Pattern[] = [];
    while (place < pattern.length && !"|)".includes(pattern[place])) nodes.push(repeated(single()));
    return nodes.length === 1 ? nodes[0] : { kind: "sequence", id: count++, nodes };
  }

  function repeated(node: Pattern): Pattern {
    if (pattern[place] === "?") {
      place += 1;
      return repeat(node, 0, 1);
    }
    const bounds = /^\{(\d+),(\d+)\}/.exec(pattern.slice(place, place + 10));
    if (!bounds) return node;
    place += bounds[0].length;
    return repeat(node, Number(bounds[1]), Number(bounds[2]));
  }

  function single(): Pattern {
    if (pattern.startsWith("(?:", place)) {
      place += 3;
      const node = choice();
      place += 1;
      return node;
    }
    const characters = pattern[place] === "[" ? characterClass() : new Set([literal()]);
    return { kind: "characters", id: count++, characters };
  }

  function literal(): string {
    if (pattern[place] === "\\") place += 1;
    return pattern[place++];
  }

  function characterClass(): Set<string> {
    const characters = new Set<string>();
    place += 1;
    while (pattern[place] !== "]") {
      const first = literal();
      const last = pattern[place] === "-" && pattern[place + 1] !== "]" ? pattern[(place += 2) - 1] : first;
      for (let code = first.charCodeAt(0); code <= last.charCodeAt(0); code++)
        characters.add(String.fromCharCode(code));
    }
    place += 1;
    return characters;
  }

  return choice();
}
