// Makes text from outside safe to show on a terminal: RBAC objects may be called anything, escape sequences included.

/** Control and formatting characters, line and paragraph separators, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** The text with unsafe characters as `\u{1b}`. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/** JSON text with the characters that JSON allows raw and a terminal may act on as `\u009b`: the same value. */
export function escapeJson(text: string): string {
  return text.replace(UNSAFE, (characters) =>
    characters
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}
