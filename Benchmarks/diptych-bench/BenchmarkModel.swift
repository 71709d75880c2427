import Models
import TensorCore

/// The sizes of model that are measured, the same as in `peer_flux.py`.
struct BenchmarkModel {
    var configuration = FluxConfiguration()
    /// Text tokens.
    var text: Int
    /// Rows and columns of image tokens.
    var rows: Int, columns: Int
    /// Samples a step.
    var batch: Int

    /// `nano` is the size of a base that is trained whole on a processor, `block` has the true width of FLUX.
    static let names = ["nano", "tiny", "mid", "block"]

    init?(_ name: String) {
        switch name {
        case "nano": self.init(8, 32, 2, 4, 128, 128, [8, 12, 12], text: 32, 4, 8, batch: 32)
        case "tiny": self.init(6, 64, 4, 8, 512, 256, [8, 28, 28], text: 64, 8, 16, batch: 8)
        case "mid": self.init(12, 128, 4, 8, 4096, 768, [16, 56, 56], text: 512, 32, 64, batch: 1)
        case "block": self.init(24, 128, 1, 2, 4096, 768, [16, 56, 56], text: 512, 32, 64, batch: 1)
        default: return nil
        }
    }

    private init(
        _ heads: Int, _ depth: Int, _ double: Int, _ single: Int, _ joint: Int, _ pooled: Int, _ axes: [Int],
        text: Int, _ rows: Int, _ columns: Int, batch: Int
    ) {
        configuration.inChannels = 384
        configuration.outChannels = 64
        configuration.numAttentionHeads = heads
        configuration.attentionHeadDim = depth
        configuration.numLayers = double
        configuration.numSingleLayers = single
        configuration.jointAttentionDim = joint
        configuration.pooledProjectionDim = pooled
        configuration.axesDimsRope = axes
        configuration.guidanceEmbeds = true
        self.text = text
        self.rows = rows
        self.columns = columns
        self.batch = batch
    }

    var imageTokens: Int { rows * columns }

    /// The same model for another number of image tokens, twice as wide as high where that is possible.
    mutating func setImageTokens(_ count: Int) {
        rows = (1...count).last { $0 * $0 * 2 <= count && count % $0 == 0 } ?? 1
        columns = count / rows
    }

    /// Floating-point operations of a step by the model's definition, recomputation not counted: the peer's formula.
    func operations(training: String, rank: Int = 32) -> Double {
        let c = configuration
        let (d, image, text) = (Double(c.innerDimension), Double(imageTokens), Double(self.text))
        let (double, single, batch) = (Double(c.numLayers), Double(c.numSingleLayers), Double(self.batch))
        let tokens = image + text
        var linear = batch * (double + single) * 24 * tokens * d * d
        linear += batch * (2 * image * 384 * d + 2 * text * Double(c.jointAttentionDim) * d + 2 * image * d * 64)
        linear += batch * (double * 24 + single * 6) * d * d
        let attention = batch * (double + single) * 4 * tokens * tokens * d
        switch training {
        case "none": return linear + attention
        case "full": return 3 * (linear + attention)
        default:
            func lora(_ tokens: Double, _ input: Double, _ output: Double) -> Double {
                2 * tokens * Double(rank) * (input + output)
            }
            var adapters = double * (4 * lora(image, d, d) + lora(image, 4 * d, d))
            adapters += single * (3 * lora(tokens, d, d) + lora(tokens, d, 4 * d) + lora(tokens, 5 * d, d))
            adapters += lora(image, 384, d)
            return 2 * linear + 3 * attention + 3 * batch * adapters
        }
    }
}
