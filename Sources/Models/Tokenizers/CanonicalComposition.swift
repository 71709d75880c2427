import Foundation

/// Unicode normalization form C (UAX #15, https://www.unicode.org/reports/tr15).
///
/// Foundation's own on Linux (Swift 6.3) is not used: it looks at the low sixteen bits of a character when it composes,
/// so that U+10041 and an acute accent become `Á`, and it leaves the parts of some characters in the wrong order. What it
/// says of one character alone is right, and the tables here are made of that when first needed.
package enum CanonicalComposition {
    private struct Tables: Sendable {
        /// The full decomposition of each character that has one.
        var decompositions: [Unicode.Scalar: [Unicode.Scalar]] = [:]
        /// The character that two compose to.
        var compositions: [UInt64: Unicode.Scalar] = [:]
    }

    /// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
    private enum Hangul {
        static let (syllable, lead, vowel, tail): (UInt32, UInt32, UInt32, UInt32) = (0xAC00, 0x1100, 0x1161, 0x11A7)
        static let (leadCount, vowelCount, tailCount): (UInt32, UInt32, UInt32) = (19, 21, 28)
        static let syllables = syllable..<syllable + leadCount * vowelCount * tailCount
    }

    /// The blocks beside Hangul in which some character has a canonical decomposition.
    private static let blocks: [ClosedRange<UInt32>] = [
        0xC0...0x33FF, 0xF900...0xFFFF, 0x10000...0x16FFF, 0x1D100...0x1D1FF, 0x2F800...0x2FA1F,
    ]

    private static let tables: Tables = {
        var tables = Tables()
        for value in blocks.joined() {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let decomposed = Array(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars)
            if decomposed != [scalar] { tables.decompositions[scalar] = decomposed }
        }
        // The last character of a full decomposition is what the character was composed with; all before it is the other
        // half, which is a composed character itself where it is longer than one.
        var whole: [[Unicode.Scalar]: Unicode.Scalar] = [:]
        for (scalar, parts) in tables.decompositions where !scalar.properties.isFullCompositionExclusion {
            whole[parts] = scalar
        }
        for (parts, scalar) in whole {
            let first = parts.count == 2 ? parts[0] : whole[Array(parts.dropLast())]
            if let first { tables.compositions[key(first, parts.last!)] = scalar }
        }
        return tables
    }()

    private static func key(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> UInt64 {
        UInt64(first.value) << 32 | UInt64(second.value)
    }

    /// The composed form of a text in UTF-8.
    package static func composed(_ text: [UInt8]) -> [UInt8] {
        // Nothing below U+0300, whose first byte is 0xCC, changes unless something above it follows.
        if text.allSatisfy({ $0 < 0xCC }) { return text }
        var scalars = decomposed(text)
        compose(&scalars)
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        for scalar in scalars { output.append(scalar) }
        return output
    }

    /// The characters of a text, taken apart, combining marks in canonical order.
    private static func decomposed(_ text: [UInt8]) -> [Unicode.Scalar] {
        let tables = tables
        var scalars: [Unicode.Scalar] = []
        scalars.reserveCapacity(text.count)
        var position = 0
        while let scalar = text.scalar(at: position) {
            position += UTF8.width(scalar)
            if Hangul.syllables ~= scalar.value {
                let index = scalar.value - Hangul.syllable
                let (rest, tail) = index.quotientAndRemainder(dividingBy: Hangul.tailCount)
                scalars.append(Unicode.Scalar(Hangul.lead + rest / Hangul.vowelCount)!)
                scalars.append(Unicode.Scalar(Hangul.vowel + rest % Hangul.vowelCount)!)
                if tail > 0 { scalars.append(Unicode.Scalar(Hangul.tail + tail)!) }
            } else if scalar.value >= 0xC0, let parts = tables.decompositions[scalar] {
                scalars += parts
            } else {
                scalars.append(scalar)
            }
        }
        sortMarks(&scalars)
        return scalars
    }

    /// Sorts each run of combining marks by class, equal classes left in order.
    private static func sortMarks(_ scalars: inout [Unicode.Scalar]) {
        var start = 0
        while start < scalars.count {
            guard combiningClass(scalars[start]) > 0 else {
                start += 1
                continue
            }
            var end = start + 1
            while end < scalars.count, combiningClass(scalars[end]) > 0 { end += 1 }
            if end - start > 1 {
                let sorted = scalars[start..<end].enumerated().sorted {
                    (combiningClass($0.element), $0.offset) < (combiningClass($1.element), $1.offset)
                }
                scalars.replaceSubrange(start..<end, with: sorted.lazy.map(\.element))
            }
            start = end
        }
    }

    /// Joins each mark or syllable part to the last starter, unless something between blocks it.
    private static func compose(_ scalars: inout [Unicode.Scalar]) {
        var output: [Unicode.Scalar] = []
        output.reserveCapacity(scalars.count)
        var starter: Int?
        var lastClass: UInt8 = 0
        for scalar in scalars {
            let ownClass = combiningClass(scalar)
            if let index = starter {
                let isAdjacent = index == output.count - 1
                if isAdjacent || lastClass != 0 && lastClass < ownClass,
                    let whole = composition(output[index], scalar)
                {
                    output[index] = whole
                    continue
                }
            }
            output.append(scalar)
            lastClass = ownClass
            if ownClass == 0 { starter = output.count - 1 }
        }
        scalars = output
    }

    private static func composition(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        let (a, b) = (first.value, second.value)
        if a >= Hangul.lead, a < Hangul.lead + Hangul.leadCount, b >= Hangul.vowel, b < Hangul.vowel + Hangul.vowelCount
        {
            let index = (a - Hangul.lead) * Hangul.vowelCount + b - Hangul.vowel
            return Unicode.Scalar(Hangul.syllable + index * Hangul.tailCount)
        }
        if Hangul.syllables ~= a, (a - Hangul.syllable) % Hangul.tailCount == 0, b > Hangul.tail,
            b < Hangul.tail + Hangul.tailCount
        {
            return Unicode.Scalar(a + b - Hangul.tail)
        }
        return tables.compositions[key(first, second)]
    }

    private static func combiningClass(_ scalar: Unicode.Scalar) -> UInt8 {
        scalar.value < 0x300 ? 0 : scalar.properties.canonicalCombiningClass.rawValue
    }
}
