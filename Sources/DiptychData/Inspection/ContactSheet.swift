import InContextEdit
import TensorCore
public import TensorIO

/// A picture of random pairs of a dataset with their instructions.
///
///     try ContactSheet(path: "Datasets/mine", count: 12).image.write(to: "sheet.png")
public struct ContactSheet: Sendable {
    /// The sheet.
    public let image: Image
    /// The pairs shown, by number.
    public let indices: [Int]

    private static let margin = 12
    private static let gap = 3
    private static let paper: Image.Pixel = [255, 255, 255]
    private static let ink: Image.Pixel = [30, 30, 36]
    private static let faded: Image.Pixel = [120, 120, 130]

    /// Draws `count` pairs, drawn at random by `seed`, in columns; panels fit into squares of `panelSide` pixels.
    ///
    /// Throws what ``PairDataset`` throws, and ``FileError`` for a picture that cannot be decoded.
    public init(
        path: String, reading: PairReading = PairReading(), count: Int = 12, columns: Int = 3, panelSide: Int = 160,
        seed: UInt64 = 0
    ) throws {
        precondition(
            count > 0 && columns > 0 && panelSide >= 32, "\(count) pairs in \(columns) columns of \(panelSide)")
        let dataset = try PairDataset(path: path, reading: reading)
        var random = Random(seed: seed)
        indices = Array(random.permutation(dataset.records.count).prefix(count))
        let columns = min(columns, indices.count)
        let scale = panelSide >= 144 ? 2 : 1
        let width = 2 * panelSide + Self.gap
        let letters = max(4, width / (BitmapFont.advance * scale))
        let line = BitmapFont.lineHeight * scale
        let (lineCount, taskHeight) = (3, BitmapFont.lineHeight + 4)
        let height = panelSide + 6 + taskHeight + lineCount * line
        let rows = (indices.count + columns - 1) / columns
        var sheet = Image(
            width: columns * (width + Self.margin) + Self.margin, height: rows * (height + Self.margin) + Self.margin,
            color: Self.paper)
        for (i, index) in indices.enumerated() {
            let x = Self.margin + i % columns * (width + Self.margin)
            let y = Self.margin + i / columns * (height + Self.margin)
            let panels = try dataset.panels(at: index)
            for (panel, left) in [(panels.source, x), (panels.target, x + panelSide + Self.gap)] {
                let fitted = Self.fitted(panel, panelSide)
                sheet.paste(
                    fitted, x: left + (panelSide - fitted.width) / 2, y: y + (panelSide - fitted.height) / 2)
            }
            let record = dataset.records[index]
            let head = ["\(index + 1)", record.task].compactMap(\.self).joined(separator: "  ")
            BitmapFont.draw(head, on: &sheet, x: x, y: y + panelSide + 6, color: Self.faded)
            let text = BitmapFont.lines(record.fields.instruction, columns: letters, most: lineCount)
            for (number, words) in text.enumerated() {
                BitmapFont.draw(
                    words, on: &sheet, x: x, y: y + panelSide + 6 + taskHeight + number * line, scale: scale,
                    color: Self.ink)
            }
        }
        image = sheet
    }

    /// A picture as large as fits into a square; small ones are enlarged in whole pixels, so that they stay as they are.
    private static func fitted(_ image: Image, _ side: Int) -> Image {
        let longer = max(image.width, image.height)
        if longer == side { return image }
        if longer * 2 <= side {
            let factor = side / longer
            return image.resized(width: image.width * factor, height: image.height * factor, filter: .nearest)
        }
        return image.resized(
            width: max(1, image.width * side / longer), height: max(1, image.height * side / longer), filter: .bicubic)
    }
}
