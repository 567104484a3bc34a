// Amounts in words, and what they are in meters, seconds, degrees, m/s and rad/s. As in agent/language/amounts.py,
// whose tables and patterns it reads.

import { GoalError } from "./goals.ts";
import { radians } from "./geometry.ts";
import type { AmountKind, SpeedUnit } from "./tables.ts";
import tables from "./tables.ts";

const { WORD_VALUES, PARTS, MULTIPLES, JOINS, WHOLE, RATIOS, UNITS, SPEED_UNITS, PER, ...patterns } = tables.amounts;
const DIGITS = new RegExp(`^(?:${patterns.DIGITS})$`);
const SINGLE = new RegExp(patterns.SINGLE, "g");
const RATIO = new RegExp(`^${patterns.RATIO}`);
const SPEED = new RegExp(`^(?:${patterns.SPEED})$`);

// The value of a number in digits or words: "2.5", "forty five", "one and a half", "three quarters of a".
export function number(text: string): number {
  if (DIGITS.test(text)) {
    // 1,000 is a thousand, 1,5 and 0,500 are less.
    const whole = text
      .replace(/(?<!^0),(?=[0-9]{3}$)/, "")
      .replace(",", ".")
      .split(" ");
    const [top, bottom = "1"] = whole.splice(-1)[0].split("/");
    if (!Number(bottom)) throw new GoalError(`${text} divides by zero`);
    return whole.reduce((sum, each) => sum + Number(each), 0) + Number(top) / Number(bottom);
  }
  const words = text.split(/[ -]/).filter((word) => !WHOLE.includes(word));
  const point = words.indexOf("point");
  if (point < 0) return sumOfWords(words);
  const digits = words.slice(point + 1).map((word) => WORD_VALUES[word] ?? -1);
  if (!digits.length || digits.some((digit) => digit < 0 || digit > 9)) throw new GoalError(`${text} is no number`);
  return (point ? sumOfWords(words.slice(0, point)) : 0) + Number(`0.${digits.join("")}`);
}

// What the words add: "two and a half" is 2 + 1/2, "three quarters of a" 3/4, "two hundred ten" 210.
function sumOfWords(words: string[]): number {
  let [total, run] = [0, 0];
  let counted = false; // whether `run` holds a number said just before
  words.forEach((word, place) => {
    const before = words[place - 1];
    if (word in PARTS) {
      run = counted ? (run || 1) * PARTS[word] : PARTS[word];
      counted = true;
    } else if (word in MULTIPLES) {
      const last = run % 1000; // the five of "two thousand five hundred"
      run += (counted ? last : 1) * MULTIPLES[word] - last;
      counted = true;
    } else if (word === "a" || word === "an") {
      if (before in PARTS || before === "of") return; // "half a", "a quarter of a"
      total += run;
      [run, counted] = [1, true];
    } else if (word in WORD_VALUES) {
      if (before === "a" || before === "an") run = 0; // "a three-quarter turn"
      const hundreds = 0 < run && run < 10 && WORD_VALUES[word] >= 10; // "one eighty"
      run = run * (hundreds ? 100 : 1) + WORD_VALUES[word];
      counted = true;
    } else if (word === "and" && words.slice(place + 1).some((later) => later in PARTS)) {
      total += run;
      [run, counted] = [0, false];
    } else if (!JOINS.includes(word)) {
      throw new GoalError(`${words.join(" ")} is no number`);
    }
  });
  if (!counted) throw new GoalError(`${words.join(" ")} is no number`);
  return total + run;
}

// Kind and value of an amount as it was said: "1 minute 30 seconds" is 90 seconds.
export function amount(text: string): [AmountKind, number] {
  const ratio = RATIO.exec(text);
  const said = ratio ? text.slice(ratio[0].length) : text;
  const kinds = new Set<AmountKind>();
  let [total, end] = [0, 0];
  for (const match of said.matchAll(SINGLE)) {
    if (!["", " ", " and "].includes(said.slice(end, match.index))) break;
    const [kind, factor] = UNITS[match[3]];
    kinds.add(kind);
    const value = number(match[1]) * (PARTS[match[2].replace(/^[ -]+|[ -]+$/g, "")] ?? 1); // 2 quarter turns
    total += (value + (match[4] ? number(match[4]) : 0)) * factor;
    end = match.index + match[0].length;
  }
  if (kinds.size !== 1 || end !== said.length) throw new GoalError(`${text} is no amount`);
  return [[...kinds][0], total * (ratio ? RATIOS[ratio[1]] : 1)];
}

// Unit and value of a speed: "3 km/h", "thirty degrees per second".
export function speed(text: string): [SpeedUnit, number] {
  const match = SPEED.exec(text);
  if (!match) throw new GoalError(`${text} is no speed`);
  const value = number(match[1]);
  if (match[2]) {
    const [unit, factor] = SPEED_UNITS[match[2]];
    return [unit, value * factor];
  }
  const [kind, factor] = UNITS[match[3]];
  const perSecond = (value * factor) / PER[match[4]];
  return kind === "meters" ? ["m/s", perSecond] : ["rad/s", radians(perSecond)];
}
