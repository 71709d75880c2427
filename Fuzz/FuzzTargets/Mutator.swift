/// Changes inputs: bytes, numbers of all widths, runs that are cut, repeated or exchanged, parts of other inputs, and
/// words and numbers of texts.
package struct Mutator {
    /// The longest input that is made.
    private static let longest = 1 << 18
    /// Numbers at which readers break: signs, ends of types and of bounds, and their neighbours.
    private static let numbers: [UInt64] = [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 1023, 4095, 4096, 32767, 32768,
        65535,
        65536, 1 << 24, 1 << 31 - 1, 1 << 31, 1 << 32 - 1, 1 << 32, 1 << 40, 1 << 53, 1 << 62, 1 << 63 - 1, 1 << 63,
        .max - 1, .max,
    ]
    /// Pieces of the texts that are read.
    private static let words = [
        "null", "true", "{}", "[]", "\"\"", "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud800", "NaN",
        "1e999",
        "-1", "-0", "0.5", "1e18", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "2147483647",
        "4294967296", "1e-320", "18446744073709551615", "\u{1B}[2J", "é", "e\u{301}", "\u{202E}", "\u{FEFF}", "\r\n",
        "\r",
        "\t", "\0", "../", "/", ".", "*", "&a ", "*a", "<<: ", "? ", "- ", "--- ", "!!int ", "|", ">", "'", "#",
    ]

    private var random: FuzzRandom
    private let dictionary: [[UInt8]]

    /// Draws from `random`; `dictionary` holds words of the format besides the common ones.
    package init(_ random: FuzzRandom, dictionary: [String] = []) {
        self.random = random
        self.dictionary = (Self.words + dictionary).map { Array($0.utf8) }
    }

    /// One to eight changes of an input, one of `corpus` giving parts now and then.
    package mutating func mutated(_ input: [UInt8], corpus: [[UInt8]]) -> [UInt8] {
        var bytes = input
        for _ in 0...random.below(random.below(4) == 0 ? 8 : 2) { change(&bytes, corpus) }
        if bytes.count > Self.longest { bytes.removeSubrange(Self.longest...) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8], _ corpus: [[UInt8]]) {
        guard !bytes.isEmpty else {
            bytes = random.pick(corpus)
            return
        }
        let place = random.below(bytes.count)
        switch random.below(14) {
        case 0: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 2, 3: putNumber(&bytes, place)
        case 4: bytes.removeSubrange(run(bytes, place))
        case 5: bytes.insert(contentsOf: bytes[run(bytes, place)], at: random.below(bytes.count + 1))
        case 6:
            // Many times, so that what is nested or counted gets deep or long.
            let piece = bytes[run(bytes, place)].prefix(24)
            let times = 1 << random.below(10)
            bytes.insert(contentsOf: (0..<times).flatMap { _ in piece }, at: place)
        case 7:
            let other = random.pick(corpus)
            guard !other.isEmpty else { return }
            let piece = other[run(other, random.below(other.count))]
            bytes.replaceSubrange(run(bytes, place), with: piece)
        case 8, 9: bytes.insert(contentsOf: random.pick(dictionary), at: place)
        case 10: bytes.replaceSubrange(word(bytes, place), with: random.pick(dictionary))
        case 11: replaceDigits(&bytes, place)
        case 12: bytes.removeSubrange(place...)
        default:
            let (first, second) = (word(bytes, place), word(bytes, random.below(bytes.count)))
            let copy = Array(bytes[second])
            bytes.replaceSubrange(first, with: copy)
        }
    }

    private mutating func run(_ bytes: [UInt8], _ start: Int) -> Range<Int> {
        let length = 1 + random.below(1 << random.below(10))
        return start..<min(bytes.count, start + length)
    }

    /// A number of one to eight bytes, in either order, that is set, or changed by a little.
    private mutating func putNumber(_ bytes: inout [UInt8], _ place: Int) {
        let width = 1 << random.below(4)
        // Numbers of headers are mostly aligned.
        let start = random.below(2) == 0 ? place : place / width * width
        guard start + width <= bytes.count else { return }
        var value = random.pick(Self.numbers)
        if random.below(3) == 0 {
            value = bytes[start..<start + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
            value = value &+ UInt64(bitPattern: Int64(random.below(17) - 8))
        }
        let isLittle = random.below(4) > 0
        for index in 0..<width {
            bytes[start + (isLittle ? index : width - 1 - index)] = UInt8(
                truncatingIfNeeded: value >> UInt64(8 * index))
        }
    }

    /// The word or number of a text around a place.
    private func word(_ bytes: [UInt8], _ place: Int) -> Range<Int> {
        func isInside(_ byte: UInt8) -> Bool {
            byte >= 0x80 || 0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte || byte == 0x5F
        }
        var (start, end) = (place, place + 1)
        while start > 0, place - start < 64, isInside(bytes[start - 1]) { start -= 1 }
        while end < bytes.count, end - place < 64, isInside(bytes[end]) { end += 1 }
        return start..<end
    }

    /// Another number in the place of the next digits of a text.
    private mutating func replaceDigits(_ bytes: inout [UInt8], _ place: Int) {
        guard let start = bytes[place...].firstIndex(where: { 0x30...0x39 ~= $0 }) else { return }
        let end = bytes[start...].firstIndex { !(0x30...0x39 ~= $0) } ?? bytes.count
        let value = random.pick(Self.numbers)
        let text =
            random.below(4) == 0 ? "-\(value)" : random.below(6) == 0 ? "\(value).5e\(random.below(400))" : "\(value)"
        bytes.replaceSubrange(start..<end, with: text.utf8)
    }
}
