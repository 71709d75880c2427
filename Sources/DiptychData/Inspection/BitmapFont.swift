package import TensorIO

/// A font of our own, five by seven dots a letter, for captions in pictures.
package enum BitmapFont {
    /// Columns from one letter to the next.
    package static let advance = 6
    /// Rows from one line to the next.
    package static let lineHeight = 11
    private static let rows = 7

    /// The letters from the space on: seven rows each, five dots a row as a digit of base 32, the left dot worth 16.
    private static let glyphs: [[UInt8]] = {
        let text = """
            0000000 4444404 aaa0000 aavavaa 4fke5u4 op248j3 cik8lid 4480000 2488842 8422248 04lel40 044v440
            0000c48 000v000 00000cc 01248g0 ehjlphe 4c4444e eh1248v v2421he 26aiv22 vgu11he 68guhhe v124888
            ehhehhe ehhf12c 0cc0cc0 0cc0c48 248g842 00v0v00 8421248 eh12404 eh1dlle ehhvhhh uhhuhhu ehggghe
            uhhhhhu vgguggv vgguggg ehgnhhf hhhvhhh e44444e 72222ic hikokih ggggggv hrllhhh hhpljhh ehhhhhe
            uhhuggg ehhhlid uhhukih fgge11u v444444 hhhhhhe hhhhha4 hhhllla hha4ahh hhha444 v1248gv e88888e
            0g84210 e22222e 4ah0000 000000v 8420000 00e1fhf ggmphhu 00egghe 11djhhf 00ehvge 698s888 fhhf11e
            ggmphhh 40c444e 206222c ggikoki c44444e 00qllhh 00mphhh 00ehhhe uhhuggg fhhf111 00mpggg 00fge1u
            88s8896 00hhhjd 00hhha4 00hhlla 00ha4ah hhhf11e 00v248v 2448442 4444444 8442448 008l200
            """
        return text.split(whereSeparator: \.isWhitespace).map { glyph in
            glyph.utf8.map { $0 < 58 ? $0 - 48 : $0 - 87 }
        }
    }()

    /// What stands for characters that the font has not.
    private static let unknown: [UInt8] = [31, 17, 17, 17, 17, 17, 31]

    /// How many rows a letter reaches below the line.
    private static func drop(_ scalar: Unicode.Scalar) -> Int {
        switch scalar {
        case "g", "p", "q", "y": 2
        case ",", ";": 1
        default: 0
        }
    }

    /// Draws one line of text, its top left corner at `x`, `y`, every dot `scale` pixels wide; what does not fit on the
    /// picture is cut off.
    package static func draw(
        _ text: String, on image: inout Image, x: Int, y: Int, scale: Int = 1, color: Image.Pixel = [0, 0, 0]
    ) {
        precondition(scale > 0, "letters of scale \(scale)")
        var left = x
        for scalar in text.unicodeScalars {
            let code = Int(scalar.value) - 32
            let glyph = glyphs.indices.contains(code) ? glyphs[code] : unknown
            let top = y + drop(scalar) * scale
            for row in 0..<rows {
                for column in 0..<5 where glyph[row] >> UInt8(4 - column) & 1 == 1 {
                    for v in 0..<scale {
                        for u in 0..<scale {
                            let (px, py) = (left + column * scale + u, top + row * scale + v)
                            if px >= 0, py >= 0, px < image.width, py < image.height { image[px, py] = color }
                        }
                    }
                }
            }
            left += advance * scale
        }
    }

    /// Text in lines of at most `columns` letters, broken at spaces; after `most` lines the rest is dropped and said so.
    package static func lines(_ text: String, columns: Int, most: Int = .max) -> [String] {
        precondition(columns >= 4 && most > 0, "\(most) lines of \(columns) letters")
        var lines: [String] = []
        var line = ""
        for var word in text.split(whereSeparator: \.isWhitespace).map(String.init) {
            while true {
                let joined = line.isEmpty ? word : line + " " + word
                if joined.count <= columns {
                    line = joined
                    break
                }
                if line.isEmpty {
                    // A word longer than a line is cut.
                    lines.append(String(word.prefix(columns)))
                    word = String(word.dropFirst(columns))
                } else {
                    lines.append(line)
                    line = ""
                }
            }
        }
        if !line.isEmpty { lines.append(line) }
        guard lines.count > most else { return lines }
        let last = lines[most - 1].prefix(columns - 3)
        return lines[..<(most - 1)] + [last + "..."]
    }
}
