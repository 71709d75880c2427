import TensorIO

/// A pair of a sheet: its pictures with what is written above and below.
///
///     source  512x384   target  512x384
///     ┌──────────────┐ ┌──────────────┐
///     └──────────────┘ └──────────────┘
///     12  style
///     the whole instruction
struct SheetCell {
    typealias Size = (width: Int, height: Int)
    typealias Sizes = (source: Size, target: Size?)

    struct Words {
        var name: String
        var task: String?
        var instruction: String
    }

    let words: Words
    let sizes: Sizes
    let isStacked: Bool

    /// How many panels wide it is.
    var panels: Int { isStacked || sizes.target != nil ? 2 : 1 }

    /// A text and its place.
    struct Text {
        var block: TextBlock
        var x: Int, y: Int
        var bottom: Int { y + block.height }
    }

    /// Where everything of a cell lies.
    struct Placed {
        var width: Int
        var source: ContactSheet.Area
        var target: ContactSheet.Area?
        var labels: [Text]
        var head: Text
        var words: Text
        var bottom: Int { words.bottom }
    }

    /// Lays the cell out with its top left corner at `x`, `y`.
    func placed(x: Int, y: Int, panelWidth: Int, gap: Int, space: Int, letters: Double) -> Placed {
        let width = panels * panelWidth + (panels - 1) * gap
        let box = isStacked ? width : panelWidth
        func label(_ name: String, _ size: Size, x: Int, y: Int) -> Text {
            Text(
                block: TextBlock("\(name)  \(size.width)x\(size.height)", size: letters - 3, width: box), x: x, y: y)
        }
        func area(_ size: Size, x: Int, y: Int) -> ContactSheet.Area {
            let fitted = Self.fitted(size, width: box, height: panelWidth)
            return ContactSheet.Area(x: x, y: y, width: fitted.width, height: fitted.height)
        }
        var labels = [label("source", sizes.source, x: x, y: y)]
        var targetX = x
        var targetY = y
        var source = area(sizes.source, x: x, y: labels[0].bottom + space)
        var target: ContactSheet.Area?
        if let size = sizes.target {
            if isStacked { targetY = source.y + source.height + space } else { targetX = x + box + gap }
            labels.append(label("target", size, x: targetX, y: targetY))
            target = area(size, x: targetX, y: labels[1].bottom + space)
            if !isStacked {
                // Labels of one line and of two.
                let top = max(source.y, target!.y)
                (source.y, target!.y) = (top, top)
            }
        }
        let bottom = max(source.y + source.height, target.map { $0.y + $0.height } ?? 0)
        let name = [words.name, words.task].compactMap(\.self).joined(separator: "  ·  ")
        let head = Text(block: TextBlock(name, size: letters - 3, width: width), x: x, y: bottom + space)
        let text = Text(
            block: TextBlock(words.instruction, size: letters, width: width), x: x, y: head.bottom + space / 2)
        return Placed(width: width, source: source, target: target, labels: labels, head: head, words: text)
    }

    /// The size of a picture as large as fits into a box; small ones are enlarged by whole numbers, so that their pixels
    /// stay as they are.
    static func fitted(_ size: Size, width: Int, height: Int) -> Size {
        let isWide = size.width * height >= size.height * width
        let (side, box) = isWide ? (size.width, width) : (size.height, height)
        if side * 2 <= box { return (size.width * (box / side), size.height * (box / side)) }
        return (max(1, size.width * box / side), max(1, size.height * box / side))
    }

    /// A picture in the size of its place.
    static func fitted(_ image: Image, to area: ContactSheet.Area) -> Image {
        if image.width == area.width, image.height == area.height { return image }
        let isWhole = area.width % image.width == 0 && area.height % image.height == 0 && area.width > image.width
        return image.resized(width: area.width, height: area.height, filter: isWhole ? .nearest : .bicubic)
    }
}
