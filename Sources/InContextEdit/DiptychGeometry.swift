public import TensorCore

/// The sizes of a diptych in pixels, latents and tokens.
///
/// A latent covers 8 x 8 pixels and a token 2 x 2 latents, so both sides of a panel are multiples of 16 and the edge
/// between the panels lies between tokens.
public struct DiptychGeometry: Hashable, Sendable, Codable {
    /// Pixels along a token's side.
    public static let tokenSide = 16
    /// The most tokens of a canvas, 32 times those of upstream's 512 x 512 panels: attention over more would not end.
    public static let maximumTokenCount = 1 << 16
    /// Pixels along a latent's side.
    public static let latentSide = 8

    /// Width of one panel in pixels.
    public let panelWidth: Int
    /// Height of both panels in pixels.
    public let height: Int

    /// Checks that both sides are positive multiples of 16.
    public init(panelWidth: Int, height: Int) {
        precondition(
            panelWidth > 0 && height > 0 && panelWidth % Self.tokenSide == 0 && height % Self.tokenSide == 0,
            "a panel of \(panelWidth) x \(height): both sides must be multiples of \(Self.tokenSide)")
        self.panelWidth = panelWidth
        self.height = height
    }

    /// The panel that an image of this size becomes, upstream's way: `panelWidth` wide, its own proportions, the
    /// height cut down to a multiple of 16. Throws ``DiptychSizeError`` when that is too large.
    public init(fitting imageWidth: Int, _ imageHeight: Int, panelWidth: Int) throws(DiptychSizeError) {
        let height = Double(imageHeight) * Double(panelWidth) / Double(imageWidth)
        let side = Double(Self.tokenSide)
        let tokens = (2 * Double(panelWidth) / side) * (height / side)
        guard tokens <= Double(Self.maximumTokenCount) else {
            throw DiptychSizeError(panelWidth: panelWidth, imageWidth: imageWidth, imageHeight: imageHeight)
        }
        let scaled = Int(height)
        self.init(panelWidth: panelWidth, height: max(Self.tokenSide, scaled / Self.tokenSide * Self.tokenSide))
    }

    /// Width of the whole canvas in pixels.
    public var canvasWidth: Int { 2 * panelWidth }
    /// Rows of tokens.
    public var tokenRows: Int { height / Self.tokenSide }
    /// Columns of tokens over both panels.
    public var tokenColumns: Int { canvasWidth / Self.tokenSide }
    /// Tokens of the canvas.
    public var tokenCount: Int { tokenRows * tokenColumns }
    /// The shape of one canvas in latents: `[1, 16, height / 8, canvasWidth / 8]`.
    public func latentShape(channels: Int) -> Shape {
        [1, channels, height / Self.latentSide, canvasWidth / Self.latentSide]
    }

    /// The places of the tokens, `[tokens, 3]`: 0, row, column.
    public var imageIDs: Tensor {
        var ids: [Float] = []
        for row in 0..<tokenRows {
            for column in 0..<tokenColumns { ids += [0, Float(row), Float(column)] }
        }
        return Tensor(ids, [tokenCount, 3])
    }

    /// The mask as the transformer sees it, `[tokens, 256]`: its 8 x 8 pixels unshuffled into channels, then 2 x 2
    /// latents packed. The mask is 0 on the left panel and 1 on the right, so each token is all of one kind.
    public var packedMask: Tensor {
        let isRight = (0..<tokenColumns).map { Float($0 < tokenColumns / 2 ? 0 : 1) }
        return Tensor(isRight, [1, tokenColumns, 1]).expanded(to: [tokenRows, tokenColumns, 256]).contiguous()
            .reshaped(to: [tokenCount, 256])
    }
}

/// A picture whose diptych would be too large.
public struct DiptychSizeError: Error, CustomStringConvertible, Equatable {
    /// Width of a panel in pixels.
    public let panelWidth: Int
    /// Width of the picture in pixels.
    public let imageWidth: Int
    /// Height of the picture in pixels.
    public let imageHeight: Int

    /// One line.
    public var description: String {
        "panels \(panelWidth) pixels wide: expected at most \(DiptychGeometry.maximumTokenCount) tokens of "
            + "\(DiptychGeometry.tokenSide) x \(DiptychGeometry.tokenSide) pixels a canvas, "
            + "found a picture of \(imageWidth) x \(imageHeight), which makes more"
    }
}
