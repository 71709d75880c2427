#if arch(x86_64)
    import CKernels
    import Glibc
    import TensorCore
    import TestSupport
    import Testing

    /// The emulated matrix unit against Intel's description of TDPBF16PS, and what the unit refuses.
    @Suite(.enabled(if: MatrixKernels.available.contains(.amxEmulated))) struct TileEmulationTests {
        /// Tiles 0 (sums), 1 and 2 (factors) for so many rows, columns and pairs.
        private static func layout(rows: Int, columns: Int, pairs: Int) -> diptych_tile_configuration {
            var layout = diptych_tile_configuration()
            layout.palette = 1
            layout.rows.0 = UInt8(rows)
            layout.rows.1 = UInt8(rows)
            layout.rows.2 = UInt8(pairs)
            layout.row_bytes.0 = UInt16(4 * columns)
            layout.row_bytes.1 = UInt16(4 * pairs)
            layout.row_bytes.2 = UInt16(4 * columns)
            return layout
        }

        private static func configure(_ layout: diptych_tile_configuration) {
            withUnsafePointer(to: layout) { diptych_tile_configure($0) }
        }

        /// Subnormal numbers are zeros of their sign.
        private static func flushed(_ x: Float) -> Float { x.isSubnormal ? (x.sign == .minus ? -0.0 : 0) : x }

        private static func fused(_ sum: Float, _ a: UInt16, _ b: UInt16) -> Float {
            flushed(
                sum.addingProduct(
                    flushed(Float(bitPattern: UInt32(a) << 16)), flushed(Float(bitPattern: UInt32(b) << 16))))
        }

        /// What the manual writes down: first and second numbers of pairs are summed apart, from zero, with one rounding a
        /// product, then together, then to the sum so far.
        private static func product(
            _ sums: [Float], _ left: [UInt16], _ right: [UInt16], rows: Int, columns: Int, pairs: Int
        ) -> [Float] {
            var result = sums
            for m in 0..<rows {
                for n in 0..<columns {
                    var (first, second) = (Float(0), Float(0))
                    for k in 0..<pairs {
                        let (a, b) = (2 * (m * pairs + k), 2 * (k * columns + n))
                        first = fused(first, left[a], right[b])
                        second = fused(second, left[a + 1], right[b + 1])
                    }
                    result[m * columns + n] = flushed(flushed(sums[m * columns + n]) + flushed(first + second))
                }
            }
            return result
        }

        @Test(arguments: [(16, 16, 16), (1, 16, 16), (7, 16, 3), (16, 5, 1), (3, 2, 16)])
        func equalsTheManual(rows: Int, columns: Int, pairs: Int) {
            // Rows in memory are further apart than they are long; what lies between stays.
            let gap = 3
            for scale in [Float(1), 0x1p-64, 0x1p-126, 0x1p120] {
                func numbers(_ count: Int, _ seed: UInt64) -> [UInt16] {
                    (Tensor.sample([count], seed: seed) * scale).floats.map { UInt16($0.bitPattern >> 16) }
                }
                var (left, right) = (numbers(rows * pairs * 2, 1), numbers(pairs * columns * 2, 2))
                if scale == 1 {
                    left[0] = 0x7f80  // infinity
                    right[1] = 0x0001  // subnormal
                }
                let sums = (Tensor.sample([rows * columns], seed: 3) * (scale == 1 ? 1 : 0x1p-124)).floats
                let wanted = Self.product(sums, left, right, rows: rows, columns: columns, pairs: pairs)
                let step = columns + gap
                var found = [Float](repeating: 77, count: rows * step)
                for m in 0..<rows { for n in 0..<columns { found[m * step + n] = sums[m * columns + n] } }
                Self.configure(Self.layout(rows: rows, columns: columns, pairs: pairs))
                diptych_tile_load(0, found, 4 * step)
                diptych_tile_load(1, left, 4 * pairs)
                diptych_tile_load(2, right, 4 * columns)
                diptych_tile_multiply(0, 1, 2)
                diptych_tile_store(0, &found, 4 * step)
                diptych_tile_release()
                for m in 0..<rows {
                    for n in 0..<step {
                        let (a, b) = (found[m * step + n], n < columns ? wanted[m * columns + n] : 77)
                        #expect(
                            a.bitPattern == b.bitPattern || a.isNaN && b.isNaN, "\(scale) \(m) \(n): \(a), not \(b)")
                    }
                }
            }
        }

        @Test func zeroesAndConfiguresAnew() {
            var found = [Float](repeating: 3, count: 256)
            Self.configure(Self.layout(rows: 16, columns: 16, pairs: 16))
            diptych_tile_load(0, found, 64)
            // A configuration zeroes tiles.
            Self.configure(Self.layout(rows: 2, columns: 16, pairs: 16))
            diptych_tile_store(0, &found, 64)
            diptych_tile_release()
            #expect(found == [Float](repeating: 0, count: 32) + [Float](repeating: 3, count: 224))
        }

        /// The line with which a process ends.
        private func complaint(_ result: ExitTest.Result?) -> String {
            String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        }

        @Test func refusesWhatTheUnitRefuses() async {
            let bare = await #expect(processExitsWith: .signal(SIGABRT), observing: [\.standardErrorContent]) {
                diptych_tile_zero(0)
            }
            #expect(complaint(bare).contains("zeroing of tile 0: no tiles are configured"), "\(complaint(bare))")
            let released = await #expect(processExitsWith: .signal(SIGABRT), observing: [\.standardErrorContent]) {
                Self.configure(Self.layout(rows: 1, columns: 1, pairs: 1))
                diptych_tile_release()
                diptych_tile_multiply(0, 1, 2)
            }
            #expect(complaint(released).contains("no tiles are configured"), "\(complaint(released))")
            let unknown = await #expect(processExitsWith: .signal(SIGABRT), observing: [\.standardErrorContent]) {
                Self.configure(Self.layout(rows: 1, columns: 1, pairs: 1))
                diptych_tile_zero(3)
            }
            #expect(complaint(unknown).contains("zeroing of tile 3: it is not configured"), "\(complaint(unknown))")
            let shapes = await #expect(processExitsWith: .signal(SIGABRT), observing: [\.standardErrorContent]) {
                Self.configure(Self.layout(rows: 4, columns: 16, pairs: 5))
                diptych_tile_multiply(0, 2, 1)
            }
            #expect(complaint(shapes).contains("shapes do not fit"), "\(complaint(shapes))")
            let twice = await #expect(processExitsWith: .signal(SIGABRT), observing: [\.standardErrorContent]) {
                Self.configure(Self.layout(rows: 16, columns: 16, pairs: 16))
                diptych_tile_multiply(0, 0, 2)
            }
            #expect(complaint(twice).contains("one tile is named twice"), "\(complaint(twice))")
            let large = await #expect(processExitsWith: .signal(SIGABRT), observing: [\.standardErrorContent]) {
                Self.configure(Self.layout(rows: 17, columns: 16, pairs: 16))
            }
            #expect(complaint(large).contains("more than 16 rows"), "\(complaint(large))")
        }

        /// Each thread has tiles of its own.
        @Test func configurationIsTheThreads() async {
            let other = await #expect(processExitsWith: .signal(SIGABRT), observing: [\.standardErrorContent]) {
                Self.configure(Self.layout(rows: 16, columns: 16, pairs: 16))
                var thread = pthread_t()
                pthread_create(
                    &thread, nil,
                    { _ in
                        diptych_tile_zero(0); return nil
                    }, nil)
                pthread_join(thread, nil)
            }
            #expect(complaint(other).contains("no tiles are configured"), "\(complaint(other))")
        }
    }
#endif
