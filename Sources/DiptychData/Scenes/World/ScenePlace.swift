/// A named place of a panel: a cell of a grid.
public struct ScenePlace: Sendable, Hashable {
    /// The column, 0 … 2.
    public let column: Int
    /// The row, from 0 at the top.
    public let row: Int
    /// Rows of the grid: 2 at level 1, otherwise 3.
    public let rows: Int

    /// Every place of a level.
    public static func all(level: Int) -> [ScenePlace] {
        let rows = level == 1 ? 2 : 3
        return (0..<rows).flatMap { row in (0..<3).map { ScenePlace(column: $0, row: row, rows: rows) } }
    }

    /// The place in which a point of the panel, in 1024ths, lies.
    public init(x: Int, y: Int, level: Int) {
        rows = level == 1 ? 2 : 3
        column = min(max(x * 3 / 1024, 0), 2)
        row = min(max(y * rows / 1024, 0), rows - 1)
    }

    private init(column: Int, row: Int, rows: Int) {
        self.column = column
        self.row = row
        self.rows = rows
    }

    /// Where an object of this side stands there, in 1024ths: the middle of the cell, or as near to it as the panel's
    /// edge allows.
    public func center(side: Int) -> (x: Int, y: Int) {
        func inside(_ value: Int) -> Int { min(max(value, side / 2 + 8), 1016 - side / 2) }
        return (inside((2 * column + 1) * 1024 / 6), inside((2 * row + 1) * 1024 / (2 * rows)))
    }

    /// `top left`, `center`, `bottom center`, …
    public var name: String {
        let across = ["left", "center", "right"][column]
        let down = rows == 2 ? ["top", "bottom"][row] : ["top", "middle", "bottom"][row]
        if down == "middle" { return across == "center" ? "center" : "\(across) side" }
        return "\(down) \(across)"
    }

    /// `at the top left`, `in the center`, `on the left side`, …
    public var phrase: String {
        if name == "center" { return "in the center" }
        return name.hasSuffix("side") ? "on the \(name)" : "at the \(name)"
    }
}
