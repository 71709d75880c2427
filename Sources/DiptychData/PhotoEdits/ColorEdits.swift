import Foundation
package import TensorIO

/// Edits that change colours and leave every shape where it is. Each has one fixed strength.
package enum ColorEdits {
    /// The luminance in all three channels.
    package static func blackAndWhite(_ image: Image) -> Image {
        Image(width: image.width, height: image.height, pixels: image.luminance.flatMap { [$0, $0, $0] })
    }

    /// The luminance in brown.
    package static func sepia(_ image: Image) -> Image {
        image.mapped { _, _, old in
            let grey = Image.luminance(of: old)
            return SIMD3(grey * 1.12 + 12, grey * 0.95 + 4, grey * 0.70)
        }
    }

    /// Each channel subtracted from 255; twice is the identity.
    package static func negative(_ image: Image) -> Image { image.looked(up: (0...255).map { UInt8(255 - $0) }) }

    /// `255 (v / 255)^0.55`.
    package static func brighter(_ image: Image) -> Image {
        image.looked(up: (0...255).map { UInt8((255 * pow(Float($0) / 255, 0.55)).rounded()) })
    }

    /// Half of every value.
    package static func darker(_ image: Image) -> Image { image.looked(up: (0...255).map { UInt8($0 / 2) }) }

    /// Less red, more blue.
    package static func colder(_ image: Image) -> Image { image.mapped { _, _, old in old * [0.75, 0.97, 1.25] } }

    /// More red, less blue.
    package static func warmer(_ image: Image) -> Image { image.mapped { _, _, old in old * [1.22, 1.0, 0.68] } }

    /// Colours twice as far from grey.
    package static func vivid(_ image: Image) -> Image { saturated(image, 2) }

    /// Colours a third as far from grey.
    package static func muted(_ image: Image) -> Image { saturated(image, 1 / 3) }

    private static func saturated(_ image: Image, _ factor: Float) -> Image {
        image.mapped { _, _, old in
            let grey = SIMD3(repeating: Image.luminance(of: old))
            return grey + (old - grey) * factor
        }
    }

    /// A region's colours drawn three fifths of the way to the shade of `color` that is as bright.
    package static func tinted(_ image: Image, _ region: EditRegion, _ color: EditColor) -> Image {
        let tone = SIMD3<Float>(color.pixel)
        let toneGrey = Image.luminance(of: tone)
        return image.mapped { x, y, old in
            guard region.contains(x, y, width: image.width, height: image.height) else { return old }
            let grey = Image.luminance(of: old)
            // Below the tone's own brightness towards black, above it towards white.
            let shade =
                grey <= toneGrey
                ? tone * (grey / toneGrey)
                : tone + (SIMD3(repeating: 255) - tone) * ((grey - toneGrey) / (255 - toneGrey))
            return old + (shade - old) * 0.6
        }
    }
}

/// A part of the picture that instructions can name.
public enum EditRegion: String, Sendable, CaseIterable {
    /// Columns left of the middle.
    case left = "left half"
    /// Columns right of the middle.
    case right = "right half"
    /// Rows above the middle.
    case top = "top half"
    /// Rows below the middle.
    case bottom = "bottom half"
    /// The middle half of the rows and of the columns.
    case center = "central rectangle"

    /// Whether a pixel belongs to the region of a picture of this size.
    package func contains(_ x: Int, _ y: Int, width: Int, height: Int) -> Bool {
        switch self {
        case .left: x < width / 2
        case .right: x >= width / 2
        case .top: y < height / 2
        case .bottom: y >= height / 2
        case .center: (width / 4..<width - width / 4) ~= x && (height / 4..<height - height / 4) ~= y
        }
    }
}
