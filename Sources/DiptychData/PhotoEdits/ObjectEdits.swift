public import TensorIO

/// Edits that lay something over the picture. Edges are anti-aliased: a pixel mixes by the share of it that is covered.
package enum ObjectEdits {
    /// The picture with a mark on it.
    package static func marked(_ image: Image, _ mark: EditMark) -> Image {
        let color = SIMD3<Float>(mark.color.pixel)
        return image.mapped { x, y, old in
            old + (color - old) * mark.coverage(x, y, width: image.width, height: image.height)
        }
    }

    /// The width of ``framed(_:_:)``'s frame in pixels: a sixteenth of the shorter side.
    package static func frameWidth(_ image: Image) -> Int { max(1, min(image.width, image.height) / 16) }

    /// The picture with a frame laid over its border.
    package static func framed(_ image: Image, _ color: EditColor) -> Image {
        let line = frameWidth(image)
        let paint = SIMD3<Float>(color.pixel)
        return image.mapped { x, y, old in
            let isInside = line..<image.width - line ~= x && line..<image.height - line ~= y
            return isInside ? old : paint
        }
    }
}

/// A coloured shape at a named place.
public struct EditMark: Sendable, Hashable {
    /// Its shape.
    public var shape: EditShape
    /// Its colour.
    public var color: EditColor
    /// Where it lies.
    public var place: EditPlace

    /// Joins the parts.
    public init(shape: EditShape, color: EditColor, place: EditPlace) {
        self.shape = shape
        self.color = color
        self.place = place
    }

    /// Every mark that instructions can name.
    public static let all: [EditMark] = EditShape.allCases.flatMap { shape in
        EditColor.ofMarks.flatMap { color in shape.places.map { EditMark(shape: shape, color: color, place: $0) } }
    }

    /// The share of a pixel that the mark covers in a picture of this size.
    package func coverage(_ x: Int, _ y: Int, width: Int, height: Int) -> Float {
        let side = Float(min(width, height))
        let dx = abs(Float(x) + 0.5 - Float(width) * (Float(place.column) * 2 + 1) / 6)
        let dy = abs(Float(y) + 0.5 - Float(height) * (Float(place.row) * 2 + 1) / 6)
        func within(_ half: Float, _ distance: Float) -> Float { min(max(half - distance + 0.5, 0), 1) }
        switch shape {
        case .disc: return within(side * 0.12, (dx * dx + dy * dy).squareRoot())
        case .square: return within(side * 0.11, dx) * within(side * 0.11, dy)
        case .stripe: return within(side * 0.05, place.column == 1 ? dy : dx)
        }
    }
}

/// What a mark looks like.
public enum EditShape: String, Sendable, CaseIterable {
    /// A filled circle, a quarter of the shorter side across.
    case disc
    /// A filled square, somewhat less than a quarter of the shorter side across.
    case square
    /// A band from edge to edge along one side, a tenth of the shorter side wide.
    case stripe

    /// Where it can lie: a band only along an edge.
    public var places: [EditPlace] {
        self == .stripe ? [.top, .left, .right, .bottom] : EditPlace.allCases
    }
}

/// A colour that instructions can name.
public enum EditColor: String, Sendable, CaseIterable {
    case red, yellow, green, blue, purple, white, black

    /// Those of marks.
    public static let ofMarks: [EditColor] = [.red, .yellow, .green, .blue, .purple, .white]
    /// Those of tints.
    public static let ofTints: [EditColor] = [.red, .yellow, .green, .blue, .purple]

    /// Its red, green and blue.
    public var pixel: Image.Pixel {
        switch self {
        case .red: [222, 32, 32]
        case .yellow: [250, 214, 30]
        case .green: [34, 160, 56]
        case .blue: [34, 84, 222]
        case .purple: [142, 48, 176]
        case .white: [255, 255, 255]
        case .black: [0, 0, 0]
        }
    }
}

/// The nine places of a picture: the centres of its thirds.
public enum EditPlace: String, Sendable, CaseIterable {
    case topLeft = "top left corner"
    case top
    case topRight = "top right corner"
    case left = "left side"
    case center
    case right = "right side"
    case bottomLeft = "bottom left corner"
    case bottom
    case bottomRight = "bottom right corner"

    /// 0 … 2 from the top.
    var row: Int { Self.allCases.firstIndex(of: self)! / 3 }
    /// 0 … 2 from the left.
    var column: Int { Self.allCases.firstIndex(of: self)! % 3 }
}
