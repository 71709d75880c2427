/// Whether an autoencoder works through large images tile by tile.
///
/// A tile is a band of rows over the whole width. Every convolution sees the rows around its band, and the statistics of
/// every norm are those of the whole image, gathered in a pass of their own. So the result is that without tiles, bit for
/// bit, and there is no overlap to choose. At the finest resolutions one tensor stays in memory instead of three or four;
/// half of the convolutions there are computed twice.
public struct AutoencoderTiling: Sendable, Hashable {
    /// When tiles are used.
    public enum Mode: String, CaseIterable, Codable, Sendable {
        /// For images of more than ``AutoencoderTiling/automaticPixels``.
        case automatic = "auto"
        /// For every image.
        case on
        /// Never.
        case off
    }

    /// When tiles are used.
    public var mode: Mode
    /// Rows of pixels in a tile.
    public var tileSize: Int

    /// The largest image, in pixels, that goes without tiles unless told otherwise: 1024 x 2048.
    public static let automaticPixels = 1 << 21

    /// Collects the options.
    public init(mode: Mode = .automatic, tileSize: Int = 64) {
        precondition(tileSize > 0, "tiles of \(tileSize) rows")
        (self.mode, self.tileSize) = (mode, tileSize)
    }

    /// Whether an image of this size is worked through in tiles.
    public func applies(height: Int, width: Int) -> Bool {
        if height * width == 0 { return false }
        return switch mode {
        case .automatic: height * width > Self.automaticPixels
        case .on: true
        case .off: false
        }
    }
}
