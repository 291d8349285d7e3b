/** Text that JSON takes as it is: no quotation mark, backslash, control character, nothing beyond ASCII. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** `text` as a JSON string without characters that a terminal or a line splitter acts on: C1 controls, U+2028 and changes of direction may stand in JSON. */
export function jsonText(text: string): string {
  // Nearly every value of a record is plain, and the test costs a third of JSON.stringify (bench: pieces).
  return PLAIN.test(text) ? `"${text}"` : escapeControls(JSON.stringify(text));
}

/**
 * Control characters (ANSI escapes, line feeds, C1) and those that change the direction of text (U+061C, U+200E, U+200F, U+202A to U+202E,
 * U+2066 to U+2069) as visible escapes: a value must not move the reader's cursor, nor show in another order than it has.
 */
export function escapeControls(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are the characters to find
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
