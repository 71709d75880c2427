import Autograd
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Tiles give what the whole image gives, in less memory.
@Suite struct AutoencoderTilingTests {
    private func model(_ name: String) throws -> AutoencoderKL {
        try AutoencoderKL.load(folder: Fixtures.path(name + "/vae"))
    }

    @Test(arguments: ["tiny-random-fill", "encoder-variant"], [DType.float32, .bfloat16])
    func tilesGiveTheWholeBitForBit(name: String, dtype: DType) throws {
        let vae = try model(name)
        if dtype == .bfloat16 { vae.convertWeights(to: dtype) }
        let factor = vae.configuration.downsampleFactor
        var random = Random(seed: 3)
        for (images, rows, columns) in [(1, 7, 5), (2, 3, 4), (1, 1, 1)] {
            let latents = random.randn([images, vae.configuration.latentChannels, rows, columns]).converted(to: dtype)
            let image = random.randn([images, 3, factor * rows, factor * columns]).converted(to: dtype)
            vae.tiling.mode = .off
            let (decoded, encoded) = (vae.decode(latents), vae.encode(image))
            for tileSize in [1, 8, 12, 16, 23, 64] {
                vae.tiling = AutoencoderTiling(mode: .on, tileSize: tileSize)
                let moments = vae.encode(image)
                let size = "\(rows) x \(columns), tiles of \(tileSize)"
                #expect(vae.decode(latents).isIdentical(to: decoded), "image of \(size)")
                #expect(moments.mean.isIdentical(to: encoded.mean), "mean of \(size)")
                #expect(moments.logVariance.isIdentical(to: encoded.logVariance), "variance of \(size)")
            }
        }
    }

    /// Also by the engine that knows no patches, up to roundings.
    @Test func tilesGiveTheWholeOnOtherEngines() throws {
        let vae = try model("encoder-variant")
        var random = Random(seed: 4)
        let latents = random.randn([1, vae.configuration.latentChannels, 5, 3])
        Device.withBackend(CPUBackend(engine: .plain)) {
            vae.tiling.mode = .off
            let whole = vae.decode(latents)
            vae.tiling = AutoencoderTiling(mode: .on, tileSize: 8)
            let error = largestDifference(vae.decode(latents), whole)
            print("vae in tiles, plain: largest error \(error)")
            #expect(error <= 2e-5)
        }
    }

    @Test func imagesAndLatentsStayAsTheyAre() throws {
        let vae = try model("tiny-random-fill")
        var random = Random(seed: 5)
        let (latents, image) = (random.randn([1, 16, 3, 3]), random.randn([1, 3, 24, 24]))
        let before = (latents.copied(), image.copied())
        vae.tiling = AutoencoderTiling(mode: .on, tileSize: 8)
        _ = (vae.decode(latents), vae.encode(image))
        #expect(latents.isIdentical(to: before.0) && image.isIdentical(to: before.1))
    }

    /// In a process of its own, where no other test allocates.
    @Test func tilesTakeLessMemory() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            var configuration = AutoencoderKLConfiguration()
            configuration.blockOutChannels = [16, 32, 32, 32]
            configuration.normNumGroups = 8
            configuration.layersPerBlock = 1
            let vae = AutoencoderKL(configuration, WeightLoader(initializing: .float32, seed: 1))
            var random = Random(seed: 2)
            let image = random.randn([1, 3, 512, 256])
            let latents = random.randn([1, 16, 64, 32])
            var peaks: [[Int]] = []
            for mode in [AutoencoderTiling.Mode.off, .on] {
                vae.tiling = AutoencoderTiling(mode: mode, tileSize: 16)
                peaks.append([])
                for step in [{ _ = vae.encode(image) }, { _ = vae.decode(latents) }] {
                    let before = MemoryAccount.currentBytes
                    MemoryAccount.resetPeak()
                    step()
                    peaks[peaks.count - 1].append(MemoryAccount.peakBytes - before)
                }
            }
            print("vae peak bytes, encode and decode: whole \(peaks[0]), tiles \(peaks[1])")
            for (whole, tiles) in zip(peaks[0], peaks[1]) { #expect(2 * tiles < whole) }
        }
        print(String(decoding: result?.standardOutputContent ?? [], as: UTF8.self))
    }

    @Test func largeImagesAreTiledUnlessToldOtherwise() {
        let tiling = AutoencoderTiling()
        #expect(!tiling.applies(height: 1024, width: 2048) && tiling.applies(height: 1032, width: 2048))
        #expect(!AutoencoderTiling(mode: .off).applies(height: 1 << 14, width: 1 << 14))
        #expect(AutoencoderTiling(mode: .on).applies(height: 8, width: 8))
        #expect(!AutoencoderTiling(mode: .on).applies(height: 0, width: 8))
    }
}
