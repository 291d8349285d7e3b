/** Characters that searches have looked at while `fn` ran: the work of readers that find everything by searches. */
export function charactersSearched(fn: () => void): number {
  let characters = 0;
  const { indexOf, lastIndexOf, charCodeAt } = String.prototype;
  String.prototype.indexOf = function (this: string, wanted: string, from = 0) {
    const found = indexOf.call(this, wanted, from);
    characters += (found === -1 ? this.length : found + wanted.length) - Math.min(from, this.length);
    return found;
  };
  String.prototype.lastIndexOf = function (this: string, wanted: string, from = this.length) {
    const found = lastIndexOf.call(this, wanted, from);
    characters += Math.min(from, this.length) - Math.max(found, 0);
    return found;
  };
  String.prototype.charCodeAt = function (this: string, at: number) {
    characters += 1;
    return charCodeAt.call(this, at);
  };
  try {
    fn();
  } finally {
    Object.assign(String.prototype, { indexOf, lastIndexOf, charCodeAt });
  }
  return characters;
}
