import CText
package import TensorIO

/// A text in lines, laid out and drawn by Pango with the fonts of the machine: every script, either direction, and other
/// fonts where the first one lacks a character.
package final class TextBlock {
    /// The width of the longest line, and the height of all.
    package let width: Int, height: Int
    /// The number of lines.
    package let lineCount: Int
    /// The characters that no font has, in the order of the text, each once.
    package let missing: [Unicode.Scalar]
    private let block: OpaquePointer
    /// The lines' own width, at whose right edge texts from right to left begin.
    private let boxWidth: Int

    /// How much longer texts are cut, and say so: no encoder reads as much of one.
    package static let mostCharacters = 10_000

    /// Breaks a text into lines of at most `width` pixels, between words where that is possible.
    package init(_ text: String, size: Double, width: Int) {
        precondition(size > 0 && width > 0, "letters of \(size) pixels in lines of \(width)")
        boxWidth = width
        let left = text.count - Self.mostCharacters
        // A zero byte would end the text in C.
        var shown = String(text.prefix(Self.mostCharacters)).replacing("\0", with: "\u{FFFD}")
        if left > 0 { shown += " … (\(left) more characters)" }
        block = shown.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { ctext_create($0.baseAddress, $0.count, size, Int32(width)) }
        }
        var (found, lines) = ((width: Int32(0), height: Int32(0)), Int32(0))
        ctext_size(block, &found.width, &found.height)
        lines = ctext_lines(block)
        (self.width, self.height, lineCount) = (Int(found.width), Int(found.height), Int(lines))
        var scalars = [UInt32](repeating: 0, count: ctext_missing(block, nil, 0))
        _ = ctext_missing(block, &scalars, scalars.count)
        var seen: Set<Unicode.Scalar> = []
        missing = scalars.compactMap(Unicode.Scalar.init).filter {
            // Controls have no shape anywhere.
            $0.properties.generalCategory != .control && seen.insert($0).inserted
        }
    }

    deinit { ctext_destroy(block) }

    /// Whether there is a font to write with at all.
    package static var hasFonts: Bool { TextBlock("a", size: 12, width: 100).missing.isEmpty }

    /// Draws it with its top left corner at `x`, `y`; what reaches beyond the picture is cut off.
    package func draw(on image: inout Image, x: Int, y: Int, color: Image.Pixel) {
        // Some letters reach beyond their lines.
        let margin = 8
        let (left, top) = (max(0, x - margin), max(0, y - margin))
        let (right, bottom) = (min(image.width, x + boxWidth + margin), min(image.height, y + height + margin))
        guard left < right, top < bottom else { return }
        let part = image.crop(x: left, y: top, width: right - left, height: bottom - top)
        var pixels = part.pixels
        let status = ctext_draw(
            block, &pixels, Int32(part.width), Int32(part.height), Int32(x - left), Int32(y - top), color.x, color.y,
            color.z)
        precondition(status == 0, "no memory for a text of \(part.width)x\(part.height) pixels")
        image.paste(Image(width: part.width, height: part.height, pixels: pixels), x: left, y: top)
    }
}
