import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct RandomTests {
    /// `randn.{seed}.{count}` and `rand.{seed}.{count}`, made by PyTorch.
    @Test func theNumbersOfPyTorch() throws {
        let file = try SafetensorsFile(path: Fixtures.path("random.safetensors"))
        var (normals, uniforms) = (0, 0)
        var worst: Float = 0
        for name in file.names {
            let parts = name.split(separator: ".")
            guard parts.count == 3, let seed = UInt64(parts[1]) else { continue }
            let expected = try file.tensor(name)
            var random = Random(seed: seed)
            if parts[0] == "rand" {
                uniforms += 1
                #expect(random.rand(expected.shape).isIdentical(to: expected), "\(name)")
            } else if parts[0] == "randn" {
                normals += 1
                let found = random.randn(expected.shape)
                let error = zip(found.floats, expected.floats).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
                worst = max(worst, error)
                #expect(error <= 1e-6, "\(name): \(error)")
            }
        }
        print("randn: max error \(worst) over \(normals) fixtures")
        #expect(normals > 0 && uniforms > 0)
    }

    /// PyTorch's `bfloat16` normals are those of `float32`, rounded, where their number is a multiple of sixteen, as that of
    /// latents is. The rounding of a logarithm may turn one of thousands to the next.
    @Test func normalsInBfloat16() throws {
        let file = try SafetensorsFile(path: Fixtures.path("noise.safetensors"))
        var counts: [Int] = []
        for name in file.names where name.hasPrefix("randn.") {
            let parts = name.split(separator: ".")
            var random = Random(seed: try #require(UInt64(parts[1])))
            let expected = try file.tensor(name)
            #expect(expected.dtype == .bfloat16)
            let pairs = zip(random.randn(expected.shape).converted(to: .bfloat16).floats, expected.floats)
            #expect(pairs.allSatisfy { abs($0 - $1) <= abs($1) / 128 }, "\(name)")
            #expect(pairs.filter { $0 != $1 }.count <= expected.count / 1000, "\(name)")
            counts.append(expected.count)
        }
        #expect(counts.sorted() == [5, 5, 16, 16, 4096, 4096])
    }

    @Test func theReferenceTwister() {
        // Matsumoto and Nishimura's own first outputs for the seed 5489, and the 10,000th as the C++ standard gives it.
        var random = Random(seed: 5489)
        #expect((0..<3).map { _ in random.next() } == [3_499_211_612, 581_869_302, 3_890_346_734])
        for _ in 3..<9999 { _ = random.next() }
        #expect(random.next() == 4_123_659_995)
    }

    @Test func aStateContinuesItsStream() throws {
        // Before the first draw, in the middle, and with the second normal of a pair kept.
        for draws in [0, 1, 5, 623, 624, 625] {
            var random = Random(seed: 42)
            for _ in 0..<draws { _ = random.next() }
            if draws == 5 { _ = random.normal() }
            let state = random.state
            var copy = try #require(Random(state: state))
            #expect(copy == random && copy.state == state)
            #expect(copy.randn([3]).isIdentical(to: random.randn([3])))
            #expect(copy.rand([700]).isIdentical(to: random.rand([700])))
            #expect(copy.randn([37]).isIdentical(to: random.randn([37])))
            #expect(copy == random)
        }
    }

    @Test func wordsThatAreNoStateAreRefused() {
        let good = Random(seed: 1).state
        #expect(Random(state: []) == nil)
        #expect(Random(state: Array(good.dropLast())) == nil)
        for (place, value) in [(624, UInt32(625)), (625, 2)] {
            var bad = good
            bad[place] = value
            #expect(Random(state: bad) == nil)
        }
    }

    @Test func ranges() {
        var random = Random(seed: 7)
        for _ in 0..<10_000 {
            let (u, d) = (random.uniform(), random.uniformDouble())
            #expect(u >= 0 && u < 1 && d >= 0 && d < 1)
        }
        var counts = [Int](repeating: 0, count: 6)
        for _ in 0..<6000 { counts[random.integer(below: 6)] += 1 }
        // Five standard deviations.
        #expect(counts.allSatisfy { abs($0 - 1000) < 145 })
        #expect(random.integer(below: 1) == 0)
        #expect((0..<100).allSatisfy { _ in (0..<Int.max).contains(random.integer(below: .max)) })
        let order = random.permutation(100)
        #expect(order != Array(0..<100) && order.sorted() == Array(0..<100))
        #expect(random.permutation(0) == [] && random.permutation(1) == [0])
    }

    @Test func normalsAreNormal() {
        var random = Random(seed: 3)
        for values in [random.randn([20_000]).floats.map { Double($0) }, (0..<20_000).map { _ in random.normal() }] {
            let mean = values.reduce(0, +) / 20_000
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
            #expect(abs(mean) < 0.035 && abs(variance - 1) < 0.05)
        }
    }
}
