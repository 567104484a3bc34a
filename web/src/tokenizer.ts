// Byte-level BPE, as GPT-2 and SmolLM2 use it (Sennrich et al., 2016, https://arxiv.org/abs/1508.07909).

// GPT-2's split into words: https://github.com/openai/gpt-2/blob/master/src/encoder.py
const WORDS = /'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

// Byte -> the printable character that stands for it in the vocabulary.
function byteCharacters(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

const CHARACTERS = byteCharacters();
const BYTES = Object.fromEntries(CHARACTERS.map((character, byte) => [character, byte]));

export class Tokenizer {
  readonly pieces: string[];
  readonly ids: Map<string, number>;
  readonly ranks: Map<string, number>;

  // pieces: of the vocabulary, by id; merges: "a b", the first ones first.
  constructor(pieces: string[], merges: string[]) {
    this.pieces = pieces;
    this.ids = new Map(pieces.map((piece, id) => [piece, id]));
    this.ranks = new Map(merges.map((pair, rank) => [pair, rank]));
  }

  encode(text: string): number[] {
    const bytes = new TextEncoder();
    const words = text.match(WORDS) ?? [];
    return words.flatMap((word) => this.#merge([...bytes.encode(word)].map((byte) => CHARACTERS[byte])));
  }

  // The text that a token writes, one character for each byte.
  text(id: number): string {
    return String.fromCharCode(...[...this.pieces[id]].map((character) => BYTES[character]));
  }

  #merge(parts: string[]): number[] {
    while (parts.length > 1) {
      const ranks = parts.slice(1).map((part, place) => this.ranks.get(`${parts[place]} ${part}`) ?? Infinity);
      const best = Math.min(...ranks);
      if (best === Infinity) break;
      const place = ranks.indexOf(best);
      parts = [...parts.slice(0, place), parts[place] + parts[place + 1], ...parts.slice(place + 2)];
    }
    return parts.map((part) => this.ids.get(part)).filter((id) => id !== undefined); // a few bytes have no token
  }
}
