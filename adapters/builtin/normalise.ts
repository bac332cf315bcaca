/** Signs and separators of a number stay: "-5" is not "5". */
const MARK_IN_NUMBER = /[-.,](?=\d)/y

/** "don't" and "dont" are one word; any other mark separates words. */
const APOSTROPHES = /['’ʼ`]/g

function withoutPunctuation(text: string): string {
  let kept = ''
  for (let at = 0; at < text.length; at++) {
    // `charAt` splits pairs of surrogates, but no punctuation mark that matters is one.
    const char = text.charAt(at)
    MARK_IN_NUMBER.lastIndex = at
    kept += !/[\p{P}\p{S}]/u.test(char) || MARK_IN_NUMBER.test(text) ? char : ' '
  }
  return kept
}

/** As the stream-safe text format of Unicode (UAX #15) has it: to order more marks on one letter takes the square of their number. */
const MARKS_TOO_MANY = /(\p{M}{30})\p{M}+/gu

/**
 * Text as the scorers compare it: compatibility forms, case, punctuation, English articles and
 * spaces do not count; digits, their signs, accents and word order do. Text that is nothing but
 * marks is compared as it stands. Of more than 30 accents on one letter the rest is left out.
 */
export function normalised(text: string): string {
  const plain = text.replaceAll(MARKS_TOO_MANY, '$1').normalize('NFKC').replaceAll('−', '-').toLowerCase()
  const words = withoutPunctuation(plain.replace(APOSTROPHES, ''))
    .split(/\s+/)
    .filter((word) => word !== '' && word !== 'a' && word !== 'an' && word !== 'the')
  return words.length > 0 ? words.join(' ') : plain.trim()
}
